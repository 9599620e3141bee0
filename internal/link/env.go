package link

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// EnvName is the one environment variable that makes a process a worker. The
// worker reads and removes it before any code of the program can start a
// process, so that a child of a worker is no worker.
const EnvName = "ROTA_WORKER"

// Identity is what EnvName tells a worker.
type Identity struct {
	FD         int // of the link
	ID         int // worker id
	Slot       int
	Generation int
	Master     int // pid of the master, as the master sees it
}

const envFormat = "fd=%d id=%d slot=%d generation=%d master=%d"

// String is the value of EnvName.
func (i Identity) String() string {
	return fmt.Sprintf(envFormat, i.FD, i.ID, i.Slot, i.Generation, i.Master)
}

// ParseIdentity is the inverse of String. Its errors name the value.
func ParseIdentity(s string) (i Identity, err error) {
	_, err = fmt.Sscanf(s, envFormat, &i.FD, &i.ID, &i.Slot, &i.Generation, &i.Master)
	if err == nil && i.String() != s {
		err = fmt.Errorf("it should be %q", i)
	}
	if err == nil && (i.FD < 3 || i.ID < 1 || i.Slot < 0 || i.Generation < 0) {
		err = fmt.Errorf("a number is out of range")
	}
	if err != nil {
		return Identity{}, fmt.Errorf("%s=%q: %w", EnvName, s, err)
	}
	return i, nil
}

// Inherit takes up the link that this process was started with. ok is false in a
// process that is no worker. It removes EnvName. With an error the process was
// meant to be a worker and can't be one: a wrapper script has closed the
// descriptor, say.
func Inherit() (id Identity, link *Link, ok bool, err error) {
	value, ok := os.LookupEnv(EnvName)
	if !ok {
		return id, nil, false, nil
	}
	worker.Store(true)
	if err := os.Unsetenv(EnvName); err != nil {
		return id, nil, true, fmt.Errorf("%s: %w", EnvName, err)
	}
	if id, err = ParseIdentity(value); err != nil {
		return id, nil, true, err
	}
	if link, err = inherit(id.FD); err != nil {
		return id, nil, true, fmt.Errorf("%s: descriptor %d is not the link to a master: %w", EnvName, id.FD, err)
	}
	return id, link, true, nil
}

// EnvUpgrade and EnvTableflip mark a process that is to follow a master. The new
// master reads and removes them before any code of the program can start a process.
const (
	EnvUpgrade   = "ROTA_UPGRADE"
	EnvTableflip = "TABLEFLIP_HAS_PARENT_7DIU3"
)

// foreign are the variables that speak to the master alone: what systemd, another
// supervisor, or the master before it (tableflip, in an upgrade) says to the process
// that it has started.
var foreign = []string{
	EnvName,
	"LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES",
	"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC",
	EnvUpgrade, EnvTableflip,
}

// Environ returns env without what is not meant for workers.
func Environ(env []string) []string {
	kept := make([]string, 0, len(env)+1)
	for _, e := range env {
		if name, _, _ := strings.Cut(e, "="); !slices.Contains(foreign, name) {
			kept = append(kept, e)
		}
	}
	return kept
}

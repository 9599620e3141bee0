package link

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/hangup"
)

// EnvName is the environment variable that makes a process a worker. The worker reads and
// removes it before main can start a process. A package that is initialised earlier may
// start one with it all the same: see IsForThis.
const EnvName = "ROTA_WORKER"

// Identity is the content of EnvName.
type Identity struct {
	FD         int // descriptor of the link
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

// Inherit opens the link that this process was started with, and removes EnvName. ok is
// false in a process that is not a worker. An error says that the process was started as a
// worker but can't be one, for example because a wrapper script has closed the descriptor.
// A process whose parent has not made the link is not a worker, and neither is one with
// privileges whose parent is not root's (see Secure): Inherit ignores the variable, and says
// so on standard error.
func Inherit() (id Identity, link *Link, ok bool, err error) {
	value, ok := os.LookupEnv(EnvName)
	if !ok {
		return id, nil, false, nil
	}
	_ = os.Unsetenv(EnvName) // it can't fail
	id, err = ParseIdentity(value)
	if why := refusal(id, err == nil); why != "" {
		fmt.Fprintf(os.Stderr, "rota: %s is ignored: %s\n", EnvName, why)
		return Identity{}, nil, false, nil
	}
	worker.Store(true)
	if err != nil {
		return id, nil, true, err
	}
	if link, err = inherit(id.FD); err != nil {
		return id, nil, true, fmt.Errorf("%s: descriptor %d is not the link to a master: %w", EnvName, id.FD, err)
	}
	return id, link, true, nil
}

// refusal returns why this process is not the worker id, or "". If the variable has no valid
// identity, somebody has meant this process to be one all the same.
func refusal(id Identity, valid bool) string {
	switch {
	case Secure() && !isFromRootParent(id.FD):
		return "this process runs under secure execution (set-uid, or a file with capabilities), and its master isn't root"
	case valid && !IsForThis(id.FD):
		_ = descriptor.New(id.FD).Close()
		return fmt.Sprintf("no master has started this process, but process %d. A wrapper must exec the worker", os.Getppid())
	}
	return ""
}

// IsForThis reports whether descriptor n, the end of a link, is meant for this process: the
// process that has made the link is its parent. If that is gone, or n is not a link, the answer
// is yes; it is no where a worker's child has inherited n.
func IsForThis(n int) bool { return isForThis(n) }

// EnvUpgrade and EnvTableflip mark a process that is the successor of a master. It reads
// and removes them before main can start a process.
const (
	EnvUpgrade   = "ROTA_UPGRADE"
	EnvTableflip = "TABLEFLIP_HAS_PARENT_7DIU3"
)

// EnvMaster makes a process a master that doesn't run main. A process that becomes the
// master sets it for itself, and executes its program again; see docs/decisions/0021.
const EnvMaster = hangup.EnvMaster

// EnvKeeper is the address of the unix socket of a process that keeps the master, and that the
// master doesn't outlive.
const EnvKeeper = "ROTA_KEEPER"

// masterOnly are the variables that are meant for the master: from systemd, from another
// supervisor, or, in an upgrade, from its predecessor (through tableflip).
var masterOnly = []string{
	EnvName,
	"LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES",
	"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "FDSTORE",
	EnvUpgrade, EnvTableflip, EnvMaster, EnvKeeper,
}

// Environ returns env without the variables that are not meant for workers.
func Environ(env []string) []string {
	kept := make([]string, 0, len(env)+1)
	for _, e := range env {
		if name, _, _ := strings.Cut(e, "="); !slices.Contains(masterOnly, name) {
			kept = append(kept, e)
		}
	}
	return kept
}

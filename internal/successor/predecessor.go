package successor

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/link"
)

// predecessor is the link to the master that has started this process to follow it. It is
// global because the process inherits it, once; and it is taken up while packages are
// initialised, before the init functions of main, so that no process that the program
// starts sees the variables or inherits the descriptors.
var predecessor = inherit()

// inherited is the link until a master takes it.
type inherited struct {
	mu   sync.Mutex
	link *Link
	err  error
	none bool // there is no predecessor, or the link was taken
}

// take is System.Predecessor.
func (i *inherited) take() (l *Link, ok bool, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.none {
		return nil, false, nil
	}
	i.none = true
	if i.err != nil {
		return nil, true, fmt.Errorf("upgrade: %w", i.err)
	}
	return i.link, true, nil
}

// inherit dials the old master, if both variables are set. tableflip's own alone belongs
// to a program that uses tableflip itself.
func inherit() *inherited {
	if os.Getenv(link.EnvUpgrade) == "" || os.Getenv(link.EnvTableflip) == "" {
		return &inherited{none: true}
	}
	l, err := dial()
	_ = os.Unsetenv(link.EnvUpgrade)
	_ = os.Unsetenv(link.EnvTableflip)
	return &inherited{link: l, err: err}
}

// dial gets the link from tableflip and says hello on it. tableflip's own pipes are the
// descriptors 3 and 4.
func dial() (*Link, error) {
	u, err := upgrader()
	if err != nil {
		return nil, err
	}
	descriptor.CloseOnExec(3)
	descriptor.CloseOnExec(4)
	file, err := u.File(fileName)
	if err != nil {
		return nil, err
	}
	if file == nil {
		return nil, errors.New("the old master has sent no link")
	}
	defer file.Close()
	return Dial(file)
}

// Dial makes a Link of a duplicate of end, and says hello on it. end stays the caller's.
func Dial(end *os.File) (*Link, error) {
	fd, err := descriptor.DupOf(end)
	if err != nil {
		return nil, err
	}
	raw, err := link.New(fd)
	if err != nil {
		return nil, err
	}
	l := NewLink(raw)
	l.Send(&Message{Kind: Hello, Version: Version, PID: os.Getpid()})
	return l, nil
}

package successor

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/link"
)

// predecessor is whether another master has started this process to follow it, until a
// master takes it up. It is global because the process inherits it, once.
var predecessor = inherit()

// inherited is what this process has inherited of an upgrade.
type inherited struct {
	mu   sync.Mutex
	dial func() (*Link, error) // nil: this process follows no master, or the link was taken
}

// linkFD is the descriptor of the link to the old master in the new one.
const linkFD = 5

// inherit looks at both variables. tableflip's own alone belongs to a program that uses
// tableflip itself. It runs while packages are initialised, before the init functions of
// main, and hides the variables and descriptors from processes that main starts. The link
// is not dialed before a master takes it up, because the process may execute its program
// again first (process.Restart), which restores both.
func inherit() *inherited {
	sentinel := os.Getenv(link.EnvTableflip)
	if os.Getenv(link.EnvUpgrade) == "" || sentinel == "" {
		return &inherited{}
	}
	_ = os.Unsetenv(link.EnvUpgrade)
	_ = os.Unsetenv(link.EnvTableflip)
	for _, n := range []int{3, 4, linkFD} { // tableflip's pipes, and its one file
		descriptor.CloseOnExec(n)
	}
	if link.Secure() || !link.IsForThis(linkFD) {
		return &inherited{} // the second: a package that is initialised earlier has started this process
	}
	return &inherited{dial: func() (*Link, error) { return dial(sentinel) }}
}

// take is System.Predecessor.
func (i *inherited) take() (l *Link, ok bool, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	dial := i.dial
	if i.dial = nil; dial == nil {
		return nil, false, nil
	}
	if l, err = dial(); err != nil {
		return nil, true, fmt.Errorf("upgrade: %w", err)
	}
	return l, true, nil
}

// follows is System.Follows.
func (i *inherited) follows() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.dial != nil
}

// dial gets the link from tableflip, and says hello on it. tableflip reads its variable,
// whose value is sentinel, once.
func dial(sentinel string) (*Link, error) {
	if err := os.Setenv(link.EnvTableflip, sentinel); err != nil {
		return nil, err
	}
	u, err := upgrader()
	_ = os.Unsetenv(link.EnvTableflip)
	if err != nil {
		return nil, err
	}
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

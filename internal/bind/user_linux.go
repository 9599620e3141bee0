//go:build linux

package bind

import (
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/thread"
)

// maxThreads bounds the threads of a user. A file system that doesn't answer keeps each until
// it does.
const maxThreads = 8

// userThreads are the threads that have the rights of users, by the user.
type userThreads struct {
	mu   sync.Mutex
	pool map[string]*thread.Pool
}

var threads = sync.OnceValue(func() *userThreads { return &userThreads{pool: map[string]*thread.Pool{}} })

func (t *userThreads) of(u *User) *thread.Pool {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := fmt.Sprint(*u)
	if t.pool[key] == nil {
		t.pool[key] = &thread.Pool{Prepare: u.become, Max: maxThreads}
	}
	return t.pool[key]
}

// Do calls f on a thread that has u's rights to files, and no capabilities, and that runs
// nothing else. f must not start goroutines for system calls, and not wait for anything that
// another process decides: the threads of a user are few. An error means that f was not called.
func (u *User) Do(f func()) error {
	call := func() error { f(); return nil }
	if u == nil {
		return call()
	}
	return threads().of(u).Do(call)
}

// become gives this thread, and no other, u's groups, file system ids, and no
// capabilities. The functions of the same names in package syscall
// would change all threads.
func (u *User) become() error {
	groups := make([]int, len(u.Groups))
	for i, g := range u.Groups {
		groups[i] = int(g)
	}
	if err := unix.Setgroups(groups); err != nil {
		return os.NewSyscallError("setgroups", err)
	}
	_ = unix.Setfsgid(int(u.GID)) // it never fails: what it has done is read back
	_ = unix.Setfsuid(int(u.UID))
	gid, _ := unix.SetfsgidRetGid(-1)
	uid, _ := unix.SetfsuidRetUid(-1)
	if uint32(gid) != u.GID || uint32(uid) != u.UID {
		return os.NewSyscallError("setfsuid", unix.EPERM)
	}
	none := [2]unix.CapUserData{}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	return os.NewSyscallError("capset", unix.Capset(&header, &none[0]))
}

//go:build linux

package bind

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/thread"
)

// Do calls f on a thread that has u's rights to files, and no capabilities, and that ends
// after that. f must not start goroutines for system calls. An error means that f was not
// called.
func (u *User) Do(f func()) error {
	call := func() error { f(); return nil }
	if u == nil {
		return call()
	}
	return thread.Do(u.become, call)
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

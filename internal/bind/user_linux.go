//go:build linux

package bind

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Do calls f on a thread that has u's rights to files, and no capabilities. The thread ends
// after that, so that no other goroutine ever has these rights. f must not start
// goroutines for system calls. An error means that f was not called.
func (u *User) Do(f func()) error {
	if u == nil {
		f()
		return nil
	}
	done := make(chan error)
	go u.onThread(f, done)
	return <-done
}

// onThread leaves the goroutine locked to its thread: the thread ends with it. The main
// thread can't end, and /proc shows its rights as those of the process, so another one is
// taken.
func (u *User) onThread(f func(), done chan<- error) {
	runtime.LockOSThread()
	if unix.Gettid() == os.Getpid() {
		other := make(chan error)
		go u.onThread(f, other)
		done <- <-other
		runtime.UnlockOSThread()
		return
	}
	err := u.become()
	if err == nil {
		f()
	}
	done <- err
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

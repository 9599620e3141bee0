//go:build linux

package keeper

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// read reads what masters have sent.
func (k *keeper) read() {
	for {
		m, ok := k.inbox.next()
		if !ok {
			return
		}
		k.obey(m)
	}
}

// obey does what the main process says. A master that has named another one may take that back.
func (k *keeper) obey(m message) {
	switch {
	case m.pid != 0 && m.pid == k.main.pid:
	case m.pid != 0 && m.pid == k.before && m.mainPID() == m.pid:
		k.takeBack(m.pid)
	case m.pid != 0 && m.pid == k.main.next && len(k.main.early) < maxEarly:
		k.main.early = append(k.main.early, m)
		return
	case m.pid != 0 && m.pid == k.late && m.mainPID() == m.pid:
		_ = unix.Kill(m.pid, unix.SIGTERM) // another was started for it, and two would serve
		m.close()
		return
	default:
		m.close()
		return
	}
	k.store.obey(m)
	if m.says("STOPPING=1") {
		k.main.stopping = true
	}
	if next, ok := m.next(); ok {
		k.main.forget()
		k.main.next = next
	}
	if m.says("READY=1") {
		k.ready()
	}
	if pid := m.mainPID(); pid != 0 && pid != k.main.pid {
		k.follow(pid)
	}
	if text := m.forOthers(); text != "" {
		k.outer.Send(text)
	}
}

// maxEarly is how many messages of a new master are kept.
const maxEarly = 64

// forget drops what the new master of an upgrade has said.
func (p *mainProcess) forget() {
	for _, m := range p.early {
		m.close()
	}
	p.early = nil
}

// takeBack makes the master before the main process again, after an upgrade that has failed. It gets the signals
// of the other one too.
func (k *keeper) takeBack(pid int) {
	was := k.main
	was.forget()
	k.main, k.before = mainProcess{pid: pid, ready: time.Now(), shares: was.shares}, 0
	for _, s := range was.passed {
		k.pass(s)
	}
	k.passHeld()
	if was.asked {
		_ = k.kill(syscall.SIGTERM) // its end ends the keeper
	}
}

// ready passes the signals that have waited for it.
func (k *keeper) ready() {
	k.served = true
	if !k.main.ready.IsZero() {
		return
	}
	k.main.ready = time.Now()
	k.passHeld()
}

// follow makes the new master of an upgrade the main process. It is a child of the one before, and
// becomes the keeper's at the end of that.
func (k *keeper) follow(pid int) {
	k.before = k.main.pid
	k.main.forget()
	k.main = mainProcess{pid: pid, ready: time.Now(), shares: k.main.shares}
	k.await(pid)
}

// await waits for the end of a master that is not a child of the keeper yet.
func (k *keeper) await(pid int) {
	n, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err == unix.ESRCH {
		k.lost(pid)
	}
	if err != nil {
		return // it is waited for as a child, later
	}
	go func() {
		awaitExit(n)
		k.calls <- func() { k.lost(pid) }
	}()
}

// goesOn makes the new master of the upgrade in which the main process has died the main one, and reports whether there is one: it
// takes over by itself, and may have done so.
func (k *keeper) goesOn(was mainProcess) bool {
	if was.next == 0 || unix.Kill(was.next, 0) != nil {
		was.forget()
		return false
	}
	k.Log.Warn("rota keep: the master has died, that of its upgrade goes on", "pid", was.pid, "next", was.next)
	k.main = mainProcess{pid: was.next, shares: was.shares}
	k.await(was.next)
	for _, m := range was.early {
		k.obey(m)
	}
	return true
}

// awaitExit waits in the runtime's poller until a process has ended, and closes its pidfd.
func awaitExit(n int) {
	f := os.NewFile(uintptr(n), "pidfd")
	defer f.Close()
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Read(func(fd uintptr) bool { // fails where it can't wait in the poller
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		ready, err := unix.Poll(poll, 0)
		return err == nil && ready > 0
	})
}

// takesBack is how long a master may take to say that it is the main process again.
const takesBack = 500 * time.Millisecond

// lost is the end of a master that may be a child of the one before, which alone learns how it has
// ended.
func (k *keeper) lost(pid int) {
	k.reap()
	if k.main.pid != pid {
		return
	}
	if k.before == 0 || unix.Kill(k.before, 0) != nil {
		k.ended(ending{killed: true})
		return
	}
	k.after(takesBack, func() {
		k.reap()
		if k.main.pid == pid {
			late := k.before
			k.ended(ending{killed: true})
			k.late = late
		}
	})
}

// reap waits for all children that have ended. What they have sent counts before that.
func (k *keeper) reap() (left bool) {
	for {
		var ws unix.WaitStatus
		pid, err := unix.Wait4(-1, &ws, unix.WNOHANG, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil || pid <= 0:
			return err == nil
		}
		k.read()
		if pid == k.main.pid {
			k.ended(endingOf(ws))
		}
		if pid == k.before {
			k.before = 0
		}
		if pid == k.late {
			k.late = 0
		}
	}
}

//go:build linux

package keeper

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rota-go/rota/cmd/rota/internal/launch"
	"github.com/rota-go/rota/internal/link"
)

// start starts a master with all that is kept.
func (k *keeper) start() {
	if k.over || k.main.pid != 0 {
		return
	}
	p := &launch.Program{Command: k.Command, OwnPID: []string{"LISTEN_PID"}, Nohup: k.nohup}
	if os.Getenv("WATCHDOG_PID") == strconv.Itoa(os.Getpid()) {
		p.OwnPID = append(p.OwnPID, "WATCHDOG_PID")
	}
	all := append(k.given[:len(k.given):len(k.given)], k.store.all...)
	p.Env, p.Files = k.environment(all), files(all)
	shares := k.inForeground()
	p.Sys = &syscall.SysProcAttr{Setpgid: !shares}
	pid, err := p.Start()
	switch {
	case err == nil:
		k.main = mainProcess{pid: pid, shares: shares}
	case k.served:
		k.Log.Error("rota keep: the master can't be started", "err", err)
		k.ended(ending{status: 1})
	default:
		k.finish(0, err)
	}
}

// environment returns that of the master.
func (k *keeper) environment(all []kept) []string {
	env := link.Environ(os.Environ())
	if usec := os.Getenv("WATCHDOG_USEC"); usec != "" {
		env = append(env, "WATCHDOG_USEC="+usec)
	}
	env = append(env, "NOTIFY_SOCKET="+k.name+".notify", link.EnvKeeper+"="+k.name+".keeper", fmt.Sprintf("FDSTORE=%d", maxKept))
	if len(all) == 0 {
		return env
	}
	names := make([]string, 0, len(all))
	for _, a := range all {
		names = append(names, a.name)
	}
	return append(env, fmt.Sprintf("LISTEN_FDS=%d", len(all)), "LISTEN_FDNAMES="+strings.Join(names, ":"))
}

func files(all []kept) (fds []uintptr) {
	for _, a := range all {
		fds = append(fds, uintptr(a.n))
	}
	return fds
}

// ended goes on after the end of the main process: with another, unless it is the last one.
func (k *keeper) ended(e ending) {
	was := k.main
	e.stopping, e.asked, e.served = was.stopping, k.asked, k.served || k.store.hasRecord()
	k.main, k.before = mainProcess{}, 0
	if e.isFinal() {
		was.forget()
		k.finish(e.status, nil)
		return
	}
	if k.goesOn(was) {
		return
	}
	if !was.ready.IsZero() && time.Since(was.ready) >= wellAfter {
		k.crashes = 0
	}
	k.crashes++
	wait := pause(k.crashes)
	k.Log.Warn("rota keep: the master has died, the next one is started", "pid", was.pid, "status", e.status, "keeps", len(k.store.all), "after", wait)
	k.after(wait, k.start)
}

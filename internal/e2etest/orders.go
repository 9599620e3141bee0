//go:build linux

package e2etest

import (
	"fmt"
	"reflect"
	"syscall"
)

// workersOf returns how many workers a configuration starts.
func workersOf(config any) int {
	return max(1, int(reflect.ValueOf(config).FieldByName("Workers").Int()))
}

// Reload reloads, and returns when the reload is done.
func (p *Process) Reload() {
	p.t.Helper()
	done := p.Logged(ReloadDone)
	p.Signal(syscall.SIGHUP)
	p.WaitLog(ReloadDone, done+1)
}

// Upgrade replaces the master, and returns when the old one has left.
func (p *Process) Upgrade() {
	p.t.Helper()
	old, took := p.PID(), p.Logged(TookOver)
	p.Signal(syscall.SIGUSR2)
	p.WaitLog(TookOver, took+1)
	WaitFor(p.t, fmt.Sprintf("the old master %d to be gone", old), func() bool { return !Alive(old) }, p.Log.String)
}

// WaitOutput waits until text was written n times.
func (p *Process) WaitOutput(text string, n int) {
	p.t.Helper()
	WaitFor(p.t, fmt.Sprintf("%d lines with %q", n, text), func() bool { return p.Log.Count(text) >= n }, p.Log.String)
}

// WaitChildren waits until the master has n children.
func (p *Process) WaitChildren(n int) {
	p.t.Helper()
	WaitFor(p.t, fmt.Sprintf("%d workers", n), func() bool { return len(p.Children()) == n })
}

// WaitIdle waits until no reload is under way and n workers are left.
func (p *Process) WaitIdle(n int) {
	p.t.Helper()
	WaitFor(p.t, "the last reload", func() bool {
		return p.Logged(ReloadStarts) == p.Logged(ReloadDone)+p.Logged(ReloadFailed)+p.Logged(ReloadSuperseded)
	}, p.Log.String)
	p.WaitChildren(n)
}

// WaitUpgrades waits until no upgrade is under way.
func (p *Process) WaitUpgrades() {
	p.t.Helper()
	WaitFor(p.t, "the last upgrade", func() bool {
		return p.Logged(UpgradeStarts) == p.Logged(TookOver)+p.Logged(UpgradeFailed)
	}, p.Log.String)
}

// Handling is what a helper prints that has begun to answer a request.
func Handling(uri string) string { return "handling " + uri + " generation " }

// InFlight makes a request, and returns when a handler has it. The channel has the result
// when the request is answered.
func (p *Process) InFlight(path string) <-chan error {
	p.t.Helper()
	begun := p.Log.Count(Handling(path))
	done := make(chan error, 1)
	go func() {
		_, err := Request("tcp", p.Addr(), path)
		done <- err
	}()
	p.WaitOutput(Handling(path), begun+1)
	return done
}

// Children returns the pids of the master's children, which are its workers.
func (p *Process) Children() []int { return ChildrenOf(p.PID()) }

// WorkerDescriptors returns how many descriptors all workers have open.
func (p *Process) WorkerDescriptors() (n int) {
	for _, pid := range p.Children() {
		n += Descriptors(pid)
	}
	return n
}

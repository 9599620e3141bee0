//go:build linux

package fleet

import (
	"syscall"
	"testing"

	"github.com/rota-go/rota/internal/e2etest"
)

// rounds is how many times a scenario is played.
func rounds(n int) int {
	if e2etest.Long() {
		return 10 * n
	}
	return n
}

// All hosts reload at once: 0 failed, and HAProxy repeats nothing.
func TestReloadOfAll(t *testing.T) {
	tool(t, "haproxy")
	f := newFleet(t)
	b := f.haproxy(t, false)
	l := b.load()
	l.goes(t, 50)
	f.reloadAll(t, l, rounds(5))
	l.mustBeWhole(t)
}

// reloadAll reloads all hosts at once, n times.
func (f fleet) reloadAll(t *testing.T, l load, n int) {
	t.Helper()
	for i := range n {
		for _, h := range f {
			h.Signal(syscall.SIGHUP)
		}
		for _, h := range f {
			h.WaitLog(e2etest.ReloadDone, i+1)
		}
		l.goes(t, 20)
	}
}

// One host after the other is drained and restarted: 0 failed.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	tool(t, "haproxy")
	for name, drain := range map[string]bool{"with drain": true, "StopDelay alone": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t)
			b := f.haproxy(t, false)
			l := b.load()
			l.goes(t, 50)
			for range rounds(1) {
				for _, h := range f {
					if drain {
						h.drain()
						b.waitState(h, "DRAIN", "DOWN") // by the agent, or because /readyz fails
					}
					h.restart()
					b.waitState(h, "UP")
					l.goes(t, 20)
				}
			}
			l.mustBeWhole(t)
		})
	}
}

// A roll of a bad release stops at the first host, which serves the old one on: 0 failed. The others
// aren't touched. The next release is good.
func TestBadRelease(t *testing.T) {
	tool(t, "haproxy")
	f := newFleet(t)
	l := f.haproxy(t, false).load()
	l.goes(t, 50)
	if n := f.roll("exits"); n != 0 {
		t.Errorf("%d hosts have the bad release", n)
	}
	for _, h := range f[1:] {
		if n := h.Logged(e2etest.ReloadStarts); n != 0 {
			t.Errorf("%s was reloaded %d times", h.name, n)
		}
	}
	if n := f.roll("good"); n != len(f) {
		t.Errorf("%d hosts have the good release, want %d", n, len(f))
	}
	l.goes(t, 20)
	l.mustBeWhole(t)
}

// roll brings a release to one host after the other, as deploy/ansible does, until a reload fails. It
// returns how many have succeeded.
func (f fleet) roll(kind string) (succeeded int) {
	for _, h := range f {
		done, failed := h.Logged(e2etest.ReloadDone), h.Logged(e2etest.ReloadFailed)
		h.release.Write(kind)
		h.Signal(syscall.SIGHUP)
		e2etest.WaitFor(h.t, "the reload of "+h.name, func() bool {
			return h.Logged(e2etest.ReloadDone)+h.Logged(e2etest.ReloadFailed) > done+failed
		}, h.Log.String)
		if h.Logged(e2etest.ReloadFailed) > failed {
			h.release.Write("good")
			return succeeded
		}
		succeeded++
	}
	return succeeded
}

// All processes of a host are killed: HAProxy repeats the GETs that were on it, 0 of them fail.
// POSTs that were on it fail, as nobody knows whether it has done what they ask for.
func TestHostDies(t *testing.T) {
	tool(t, "haproxy")
	f := newFleet(t)
	b := f.haproxy(t, true)
	l := b.load()
	l.goes(t, 50)
	f[1].die()
	b.waitState(f[1], "DOWN")
	l.goes(t, 50)
	f[1].start()
	b.waitState(f[1], "UP")
	l.goes(t, 20)
	l.mustBeWhole(t, posb)
}

// A host is gone from the network, and answers nothing: what waits for it is repeated when
// HAProxy's timeouts are over.
func TestHostVanishes(t *testing.T) {
	tool(t, "haproxy")
	f := newFleet(t)
	if f[0].netns == "" {
		t.Skip("network namespaces aren't allowed here")
	}
	b := f.haproxy(t, true, "timeout server 30s", "timeout server 1s", "timeout connect 2s", "timeout connect 500ms", "timeout check 2s", "timeout check 500ms")
	l := b.load()
	l.goes(t, 50)
	f[1].vanish()
	b.waitState(f[1], "DOWN")
	l.goes(t, 50)
	l.mustBeWhole(t, posb)
}

// All hosts reload at once behind nginx, whose upstream keeps connections: 0 failed.
func TestReloadBehindNginx(t *testing.T) {
	tool(t, "nginx")
	f := newFleet(t)
	l := f.nginx(t).load()
	l.goes(t, 50)
	f.reloadAll(t, l, rounds(5))
	l.mustBeWhole(t)
}

// One host after the other is restarted behind nginx, which has no checks, and learns of it by connections that are
// refused, and by answers that end the kept ones: 0 failed. Each takes part again before the next one stops.
func TestRollingRestartBehindNginx(t *testing.T) {
	t.Parallel()
	tool(t, "nginx")
	f := newFleet(t)
	l := f.nginx(t).load()
	l.goes(t, 50)
	for range rounds(1) {
		for _, h := range f {
			h.restart()
			h.WaitLog(e2etest.Line(e2etest.Handling(slowPath)), 1)
			l.goes(t, 20)
		}
	}
	l.mustBeWhole(t)
}

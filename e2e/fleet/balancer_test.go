//go:build linux

package fleet

import (
	"encoding/csv"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
)

// balancer is HAProxy or nginx, in front of a fleet.
type balancer struct {
	t      *testing.T
	addr   string
	socket string // of HAProxy, for its state
}

// tool returns the path of a program, or skips the test.
func tool(t *testing.T, name string) string {
	t.Helper()
	for _, candidate := range []string{name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	t.Skipf("%s isn't installed", name)
	return ""
}

// configure writes the configuration of deploy with the addresses of the fleet, and other changes,
// which are pairs of old and new.
func (f fleet) configure(t *testing.T, from string, changes ...string) (path string) {
	t.Helper()
	text, err := os.ReadFile("../../deploy/" + from)
	e2etest.NoError(t, err)
	for i, h := range f {
		changes = append(changes, fmt.Sprintf("10.0.0.%d:", 11+i), h.ip+":")
	}
	for i := 0; i < len(changes); i += 2 {
		if !strings.Contains(string(text), changes[i]) {
			t.Fatalf("%s doesn't have %q", from, changes[i])
		}
	}
	path = filepath.Join(e2etest.ShortDir(t), filepath.Base(from))
	e2etest.NoError(t, os.WriteFile(path, []byte(strings.NewReplacer(changes...).Replace(string(text))), 0o644))
	return path
}

// haproxy starts HAProxy with the configuration of deploy, and returns when all hosts are up. Without
// repeats, it repeats no request, and no connection that can't be made.
func (f fleet) haproxy(t *testing.T, repeats bool, changes ...string) *balancer {
	t.Helper()
	b := &balancer{t: t, addr: e2etest.FreeAddress(t), socket: filepath.Join(e2etest.ShortDir(t), "s")}
	changes = append(changes, "bind :80", "bind "+b.addr, "agent-inter 500ms", "agent-inter 200ms", "maxconn 20000", "maxconn 1000\n    stats socket "+b.socket)
	if !repeats {
		changes = append(changes, "retries 3", "retries 0", "option redispatch 1", "no option redispatch",
			"retry-on conn-failure empty-response response-timeout", "retry-on none")
	}
	path := f.configure(t, "haproxy/haproxy.cfg", changes...)
	e2etest.Run(t, exec.Command(tool(t, "haproxy"), "-db", "-f", path))
	for _, h := range f {
		b.waitState(h, "UP")
	}
	return b
}

// state returns what HAProxy thinks of a host: "UP", "DOWN", "DRAIN (agent)", …
func (b *balancer) state(h *host) string {
	c, err := net.Dial("unix", b.socket)
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	_, _ = io.WriteString(c, "show stat\n")
	rows, err := csv.NewReader(c).ReadAll()
	if err != nil || len(rows) == 0 {
		return fmt.Sprint(err)
	}
	status, agent := column(rows[0], "status"), column(rows[0], "agent_status")
	for _, r := range rows[1:] {
		if r[0] == "app" && r[1] == h.name {
			return r[status] + " " + r[agent]
		}
	}
	return ""
}

func column(head []string, name string) int {
	for i, h := range head {
		if h == name {
			return i
		}
	}
	return 0
}

// waitState waits until HAProxy has one of the states for the host. It is up when the agent has said
// so too.
func (b *balancer) waitState(h *host, want ...string) {
	b.t.Helper()
	e2etest.WaitFor(b.t, fmt.Sprintf("HAProxy to have %s as %s", h.name, want), func() bool {
		state, agent, _ := strings.Cut(b.state(h), " ")
		return slices.Contains(want, state) && (state != "UP" || strings.HasPrefix(agent, "L7OK"))
	}, func() string { return b.state(h) })
}

// nginx starts nginx with the configuration of deploy.
func (f fleet) nginx(t *testing.T) *balancer {
	t.Helper()
	b := &balancer{t: t, addr: e2etest.FreeAddress(t)}
	path := f.configure(t, "nginx/nginx.conf", "listen 80;", "listen "+b.addr+";", "keepalive_timeout 2s", "keepalive_timeout 200ms",
		"events {", "daemon off;\nworker_processes 2;\npid nginx.pid;\nerror_log stderr warn;\nevents {")
	dir := filepath.Dir(path)
	e2etest.NoError(t, os.Chmod(dir, 0o755))
	e2etest.Run(t, exec.Command(tool(t, "nginx"), "-p", dir, "-c", path, "-e", "stderr"))
	e2etest.WaitFor(t, "nginx to listen", func() bool {
		c, err := net.DialTimeout("tcp", b.addr, time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return b
}

// load is what clients ask for through a balancer, by kind. No client repeats anything.
type load map[string]*e2etest.Load

const (
	get1 = "GET, one request a connection"
	get  = "GET, keep-alive"
	posb = "POST of 1 KB, keep-alive"
	slow = "GET of 200 ms"

	slowPath = "/?sleep=200ms"
)

func (b *balancer) load() load {
	return load{
		get1: e2etest.StartLoad(b.addr, "/", 4),
		get:  e2etest.StartKeepAlive(b.addr, e2etest.Get("/"), 4, time.Millisecond),
		posb: e2etest.StartKeepAlive(b.addr, e2etest.Post("/", 1024), 4, time.Millisecond),
		slow: e2etest.StartKeepAlive(b.addr, e2etest.Get(slowPath), 4, 0),
	}
}

// goes waits until each kind has n more answers.
func (l load) goes(t *testing.T, n int) {
	t.Helper()
	for kind, one := range l {
		if kind == slow {
			n = min(n, 4)
		}
		one.Goes(t, n)
	}
}

// mustBeWhole ends the load. Of the kinds in but, requests may have failed, and the number is
// logged.
func (l load) mustBeWhole(t *testing.T, but ...string) {
	t.Helper()
	for kind, one := range l {
		r := one.End()
		t.Logf("%s: %s", kind, r)
		if r.Failed > 0 && !strings.Contains(strings.Join(but, ";"), kind) {
			t.Errorf("%s: %d failed; the first: %q", kind, r.Failed, r.First)
		}
		if r.Answered == 0 {
			t.Errorf("%s: nothing was answered", kind)
		}
	}
}

//go:build linux

package fleet

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/master"
)

// host is one of the hosts: a network namespace, or an address of the loopback.
type host struct {
	t       *testing.T
	name    string // in the balancer's configuration
	ip      string // as the balancer reaches it
	here    string // as the host reaches itself
	netns   string // "": none
	release server.Release
	others  fleet // with this one
	*e2etest.Process
}

// fleet is three hosts.
type fleet []*host

// newFleet makes three hosts with a server each.
func newFleet(t *testing.T) fleet {
	n := int(networks.Add(1))
	f := namespaces(t, n)
	if f == nil {
		for i, name := range []string{"a", "b", "c"} {
			ip := fmt.Sprintf("127.%d.%d.%d", 1+os.Getpid()>>8%250, os.Getpid()%256, 1+(3*n+i)%250)
			f = append(f, &host{t: t, name: name, ip: ip, here: ip})
		}
	}
	for _, h := range f {
		h.release = server.NewRelease(t, "good")
		h.others = f
		h.start()
	}
	return f
}

// stop tells all hosts to stop at the end of a test: one after the other would take two seconds each.
func (f fleet) stop() {
	for _, h := range f {
		if h.Process == nil {
			continue
		}
		select {
		case <-h.Ended:
		default:
			_ = syscall.Kill(h.PID(), syscall.SIGTERM)
		}
	}
}

// networks is how many were made, each with a name of its own: the kernel takes its time to remove
// one.
var networks atomic.Int64

// namespaces returns hosts of the nth network in namespaces of their own, with addresses on one bridge, or nil if
// that isn't allowed here.
func namespaces(t *testing.T, n int) (f fleet) {
	id := fmt.Sprintf("rf%dn%d", os.Getpid()%100000, n)
	net := fmt.Sprintf("10.%d.%d", 100+os.Getpid()%100, n%256)
	if err := ip("link", "add", id, "type", "bridge"); err != nil {
		t.Logf("loopback addresses in place of network namespaces: %v", err)
		return nil
	}
	t.Cleanup(func() { _ = ip("link", "del", id) })
	all := [][]string{{"addr", "add", net + ".1/24", "dev", id}, {"link", "set", id, "up"}}
	for i, name := range []string{"a", "b", "c"} {
		ns := id + name
		h := &host{t: t, name: name, ip: fmt.Sprintf("%s.%d", net, 11+i), here: "127.0.0.1", netns: ns}
		f = append(f, h)
		t.Cleanup(func() { _ = ip("link", "del", ns); _ = ip("netns", "del", ns) })
		all = append(all, [][]string{
			{"netns", "add", ns}, {"link", "add", ns, "type", "veth", "peer", "name", "eth0", "netns", ns},
			{"link", "set", ns, "master", id, "up"}, {"-n", ns, "link", "set", "lo", "up"},
			{"-n", ns, "addr", "add", h.ip + "/24", "dev", "eth0"}, {"-n", ns, "link", "set", "eth0", "up"},
		}...)
	}
	for _, args := range all {
		if err := ip(args...); err != nil {
			t.Logf("loopback addresses in place of network namespaces: %v", err)
			return nil
		}
	}
	return f
}

func ip(args ...string) error {
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// command returns the command that runs a helper on the host.
func (h *host) command(helper string, env ...string) *exec.Cmd {
	cfg := master.Config{Workers: 2, MinUptime: 50 * time.Millisecond, StopDelay: time.Second, StopGrace: 5 * time.Second, IdleGrace: time.Second}
	cmd := e2etest.Command(h.t, helper, cfg, append(env, h.release.Flags)...)
	if h.netns != "" {
		cmd.Args = append([]string{"ip", "netns", "exec", h.netns}, cmd.Args...) // it executes the program in its place
		cmd.Path, _ = exec.LookPath("ip")
	}
	return cmd
}

// start starts the host's server, and returns when it has ready workers.
func (h *host) start() {
	h.t.Helper()
	listen := ""
	if h.netns == "" {
		listen = h.ip
	}
	h.Process = e2etest.Run(h.t, h.command("serve", ipEnv+"="+listen))
	h.t.Cleanup(h.others.stop)
	h.WaitLog(e2etest.WorkerReady, 2)
}

// drain is POST /drain, from the host.
func (h *host) drain() {
	h.t.Helper()
	out, err := h.command("post", urlEnv+"=http://"+h.here+":8081/drain", "ROTA=off").CombinedOutput()
	if err != nil {
		h.t.Fatalf("drain %s: %v: %s", h.name, err, out)
	}
}

// restart stops the server and starts it again.
func (h *host) restart() {
	h.t.Helper()
	h.Signal(syscall.SIGTERM)
	if status := h.Wait(); status != 0 {
		h.t.Errorf("%s ends with status %d", h.name, status)
	}
	h.start()
}

// die kills all processes of the host.
func (h *host) die() {
	for _, pid := range append(h.Children(), h.PID()) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// vanish takes the host off the network: nothing that is sent to it is answered any more.
func (h *host) vanish() {
	h.t.Helper()
	e2etest.NoError(h.t, ip("link", "set", h.netns, "down"))
}

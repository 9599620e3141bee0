//go:build linux

package socket

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/worker"
)

// said is what an error says.
type said struct {
	Text, Type         string
	Is                 []string
	Timeout, Temporary bool
	Op, Net, Addr      string
}

var targets = map[string]error{
	"EADDRINUSE": syscall.EADDRINUSE, "EACCES": syscall.EACCES, "EADDRNOTAVAIL": syscall.EADDRNOTAVAIL,
	"ENOENT": syscall.ENOENT, "EINVAL": syscall.EINVAL, "EBADF": syscall.EBADF, "ENOTSOCK": syscall.ENOTSOCK,
	"ErrNotExist": fs.ErrNotExist, "ErrPermission": fs.ErrPermission, "ErrExist": fs.ErrExist,
}

func describe(err error) (s said) {
	if err == nil {
		return said{Text: "no error"}
	}
	s.Text, s.Type = err.Error(), fmt.Sprintf("%T", err)
	for _, name := range []string{"EADDRINUSE", "EACCES", "EADDRNOTAVAIL", "ENOENT", "EINVAL", "EBADF", "ENOTSOCK", "ErrNotExist", "ErrPermission", "ErrExist"} {
		if errors.Is(err, targets[name]) {
			s.Is = append(s.Is, name)
		}
	}
	var op *net.OpError
	if errors.As(err, &op) {
		s.Timeout, s.Temporary, s.Op, s.Net = op.Timeout(), op.Temporary(), op.Op, op.Net
		s.Addr = fmt.Sprintf("%T %v", op.Addr, op.Addr)
		for cause := op.Err; cause != nil; cause = errors.Unwrap(cause) {
			s.Type += fmt.Sprintf(" %T", cause)
		}
	}
	return s
}

func labCompare(v url.Values) (string, error) {
	network, address := v.Get("network"), v.Get("address")
	var plain, ours error
	if v.Has("packet") {
		plain = closed(net.ListenPacket(network, address))
		ours = closed(rota.ListenPacket(network, address))
	} else {
		plain = closed(net.Listen(network, address))
		ours = closed(rota.Listen(network, address))
	}
	b, err := json.Marshal([2]said{describe(plain), describe(ours)})
	return string(b), err
}

func closed[C interface{ Close() error }](c C, err error) error {
	if err == nil {
		c.Close()
	}
	return err
}

// A worker calls rota.Listen and net.Listen with the same arguments: the errors are equal.
func TestErrorsAreThoseOfNet(t *testing.T) {
	dir := e2etest.ShortDir(t)
	taken, takenPacket := mustTake(t, "tcp", "127.0.0.1:0"), mustTake(t, "udp", "127.0.0.1:0")
	live, liveGram := mustTake(t, "unix", dir+"/live"), mustTake(t, "unixgram", dir+"/livegram")
	if err := os.WriteFile(dir+"/file", []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir+"/nowhere", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(taken)
	lab := labsOf(e2etest.Start(t, "lab", server.Quick(1)), 1)[0]
	for i, network := range []string{"tcp", "udp", "unix", "unixgram"} {
		lab.listen(network, network, []string{"127.0.0.1:0", "127.0.0.1:0", dir + "/own", dir + "/owngram"}[i])
	}
	ownTCP, ownUDP := lab.must("address", "name", "tcp"), lab.must("address", "name", "udp")
	lab.must("listen", "name", "explicit", "network", "tcp", "address", "localhost:"+e2etest.FreePort(t))
	explicit := lab.must("address", "name", "explicit")
	for _, row := range []struct{ network, address, is string }{
		{"tcp", taken, "EADDRINUSE"}, {"tcp", ":" + port, "EADDRINUSE"}, {"tcp", "localhost:" + port, "EADDRINUSE"}, {"tcp4", taken, "EADDRINUSE"},
		{"tcp", ownTCP, "EADDRINUSE"}, {"udp", ownUDP, "EADDRINUSE"}, {"tcp", explicit, "EADDRINUSE"}, {"tcp", strings.Replace(explicit, "127.0.0.1", "localhost", 1), "EADDRINUSE"},
		{"udp", takenPacket, "EADDRINUSE"}, {"unix", live, "EADDRINUSE"}, {"unixgram", liveGram, "EADDRINUSE"}, {"unixpacket", live, "EADDRINUSE"}, {"unixgram", live, "EADDRINUSE"},
		{"unix", dir + "/own", "EADDRINUSE"}, {"unixgram", dir + "/owngram", "EADDRINUSE"}, {"unix", dir + "/file", "EADDRINUSE"}, {"unix", dir + "/link", "EADDRINUSE"},
		{"tcp", "192.0.2.1:0", "EADDRNOTAVAIL"}, {"udp", "192.0.2.1:0", "EADDRNOTAVAIL"}, {"tcp6", "[2001:db8::1]:0", "EADDRNOTAVAIL"},
		{"unix", dir + "/missing/s", "ENOENT"}, {"unixgram", dir + "/missing/s", "ENOENT"},
		{"unix", dir + "/" + strings.Repeat("l", 108), "EINVAL"}, {"unixpacket", strings.Repeat("l", 109), "EINVAL"}, {"unixgram", dir + "/" + strings.Repeat("l", 108), "EINVAL"}, {"unix", "@" + strings.Repeat("l", 109), "EINVAL"},
		{"tcp", "nosuch.invalid:80", ""}, {"udp", "nosuch.invalid:80", ""}, {"tcp", "127.0.0.1:nosuchservice", ""}, {"tcp", "127.0.0.1:70000", ""},
		{"tcp", "127.0.0.1", ""}, {"tcp", "::1:80", ""}, {"tcp4", "[::1]:0", ""}, {"nosuch", "127.0.0.1:0", ""}, {"", "127.0.0.1:0", ""},
		{"udp packet as stream", "", ""}, {"ip", "127.0.0.1", ""},
	} {
		t.Run(row.network+" "+strings.ReplaceAll(row.address, dir, "dir"), func(t *testing.T) {
			args := []string{"network", row.network, "address", row.address}
			if isPacket(row.network) {
				args = append(args, "packet", "yes")
			}
			wantSame(t, lab, row.is, args...)
		})
	}
	if b, _ := os.ReadFile(dir + "/file"); string(b) != "precious" {
		t.Error("the regular file was touched")
	}
}

func wantSame(t *testing.T, lab bench, is string, args ...string) {
	t.Helper()
	lab.t = t
	var both [2]said
	lab.into(&both, "compare", args...)
	if fmt.Sprint(both[0]) != fmt.Sprint(both[1]) {
		t.Errorf("the errors differ:\n net  %+v\n rota %+v", both[0], both[1])
	}
	if is != "" && !strings.Contains(fmt.Sprint(both[1].Is), is) {
		t.Errorf("error %+v is not %s", both[1], is)
	}
	if is == "" && both[1].Text == "no error" {
		t.Error("no error")
	}
}

// mustTake opens a socket in the test's own process and returns its address.
func mustTake(t *testing.T, network, address string) string {
	t.Helper()
	if isPacket(network) {
		c, err := net.ListenPacket(network, address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c.LocalAddr().String()
	}
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln.Addr().String()
}

// After a bind has failed, the same address can be bound as soon as it is free.
func TestFailedAddressCanBeAskedForAgain(t *testing.T) {
	lab := labsOf(e2etest.Start(t, "lab", server.Quick(1)), 1)[0]
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	if _, err := lab.try("listen", "name", "a", "network", "tcp", "address", addr); err == nil {
		t.Fatal("Listen succeeds on an address in use")
	}
	ln.Close()
	lab.listen("a", "tcp", addr)
	if _, err := askOnce("tcp", addr); err != nil {
		t.Error(err)
	}
}

// The same address twice is EADDRINUSE. After Close the worker may listen on it again.
func TestSameAddressTwiceIsInUse(t *testing.T) {
	lab := labsOf(e2etest.Start(t, "lab", server.Quick(1)), 1)[0]
	dir := e2etest.ShortDir(t)
	for _, row := range [][2]string{{"tcp", e2etest.FreeAddress(t)}, {"udp", e2etest.FreeAddress(t)}, {"unix", dir + "/s"}, {"unixgram", dir + "/g"},
		{"unix", "@rota-twice-" + dir}, {"udp", "224.0.0.251:" + e2etest.FreePort(t)}} {
		args := []string{"network", row[0], "address", row[1]}
		lab.must("listen", append(args, "name", "a")...)
		_, err := lab.try("listen", append(args, "name", "b")...)
		if err == nil || !strings.Contains(err.Error(), "address already in use") {
			t.Errorf("%v: the second Listen returns %v", row, err)
		}
		lab.must("close", "name", "a")
		lab.must("listen", append(args, "name", "a")...)
	}
}

// afterDisconnect calls Listen while its worker drains, and again when it has left.
func afterDisconnect() {
	ln, err := rota.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	report := func(when string) {
		begin := time.Now()
		_, err := rota.Listen("tcp", "127.0.0.1:0")
		_, perr := rota.ListenPacket("udp", "127.0.0.1:0")
		fmt.Fprintf(os.Stderr, "%s: %v %v %T %v; %v %v.\n", when, time.Since(begin) < time.Second, errors.Is(err, worker.ErrDisconnected), err, err, errors.Is(perr, worker.ErrDisconnected), perr)
	}
	self := worker.Self()
	drained := make(chan struct{})
	go func() {
		<-self.Disconnecting()
		report("draining")
		<-self.Done()
		report("left")
		close(drained)
	}()
	ln.Accept()
	<-drained
}

func TestListenAfterDisconnectFails(t *testing.T) {
	p := e2etest.Start(t, "after-disconnect", server.Quick(1))
	p.Signal(syscall.SIGTERM)
	p.Wait()
	for _, when := range []string{"draining", "left"} {
		if n := p.Log.Count(when + ": true true *net.OpError listen tcp 127.0.0.1:0: "); n != 1 {
			t.Errorf("%s: Listen doesn't return ErrDisconnected at once", when)
		}
	}
	if n := p.Log.Count("; true listen udp 127.0.0.1:0: "); n != 2 {
		t.Errorf("ListenPacket doesn't return ErrDisconnected")
	}
}

// Listen without a master returns an error at once.
func TestListenWithoutMasterFails(t *testing.T) {
	p := e2etest.Start(t, "master-gone", server.Quick(1))
	e2etest.Kill(t, p.PID())
	<-p.Ended
	p.WaitOutput("gone: true true *net.OpError listen tcp 127.0.0.1:0: ", 1)
}

// Listen returns an error if the master dies before it has answered.
func TestListenFailsWhenTheMasterDies(t *testing.T) {
	p := e2etest.Start(t, "lab", server.Quick(1))
	lab := labsOf(p, 1)[0]
	e2etest.StandStill(t, p.PID())
	result := make(chan error, 1)
	go func() {
		_, err := lab.try("listen", "name", "a", "network", "tcp", "address", "127.0.0.1:0")
		result <- err
	}()
	select {
	case err := <-result:
		t.Errorf("a stopped master has answered: %v", err)
	case <-time.After(100 * time.Millisecond): // the worker waits, or hasn't asked yet
	}
	e2etest.Kill(t, p.PID())
	if err := <-result; err == nil || !strings.Contains(err.Error(), "worker is disconnected") {
		t.Errorf("%v, want worker.ErrDisconnected", err)
	}
}

// masterGone asks for sockets when its master has died.
func masterGone() {
	ln, err := rota.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go ln.Accept()
	self := worker.Self()
	self.OnDisconnect(func(ctx context.Context) error { // keeps the worker alive until it has asked
		for self.IsConnected() && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		begin := time.Now()
		_, err := rota.Listen("tcp", "127.0.0.1:0")
		fmt.Fprintf(os.Stderr, "gone: %v %v %T %v\n", time.Since(begin) < time.Second, errors.Is(err, worker.ErrDisconnected), err, err)
		return nil
	})
	select {}
}

//go:build linux

package socket

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"golang.org/x/sys/unix"
)

// labFile calls Fd of the File of a socket. On a socket of package net this clears
// O_NONBLOCK.
func labFile(v url.Values) (string, error) {
	f, err := opened(v).(interface{ File() (*os.File, error) }).File()
	if err != nil {
		return "", err
	}
	defer f.Close()
	return fmt.Sprint(f.Fd()), nil
}

// labClear clears O_NONBLOCK with fcntl.
func labClear(v url.Values) (string, error) {
	return onDescriptor(v, func(fd uintptr) (int, error) { return 0, unix.SetNonblock(int(fd), false) })
}

// labShutDown shuts the socket down, as no server should. For a UDP socket that takes effect,
// although the kernel says ENOTCONN.
func labShutDown(v url.Values) (string, error) {
	return onDescriptor(v, func(fd uintptr) (int, error) {
		how, err := strconv.Atoi(v.Get("how"))
		if err == nil {
			err = unix.Shutdown(int(fd), how)
		}
		if errors.Is(err, unix.ENOTCONN) {
			err = nil
		}
		return 0, err
	})
}

func labFlags(v url.Values) (string, error) {
	return onDescriptor(v, func(fd uintptr) (int, error) { return unix.FcntlInt(fd, unix.F_GETFL, 0) })
}

func onDescriptor(v url.Values, f func(fd uintptr) (int, error)) (string, error) {
	var n int
	raw, err := opened(v).(syscall.Conn).SyscallConn()
	if err == nil {
		if cerr := raw.Control(func(fd uintptr) { n, err = f(fd) }); cerr != nil {
			err = cerr
		}
	}
	return fmt.Sprint(n), err
}

// labTimedClose closes, and answers with how long that took.
func labTimedClose(v url.Values) (string, error) {
	begin := time.Now()
	err := opened(v).Close()
	return time.Since(begin).String(), err
}

func (b bench) isBlocking(name string) bool {
	b.t.Helper()
	var flags int
	fmt.Sscan(b.must("flags", "name", name), &flags)
	return flags&unix.O_NONBLOCK == 0
}

var sharedNetworks = []string{"tcp", "unix", "unixpacket", "udp", "unixgram"}

func sharedLabs(p *e2etest.Process, network, address string) []bench {
	labs := labsOf(p, 2)
	for _, lab := range labs {
		lab.listen("s", network, address)
	}
	return labs
}

func TestFileLeavesSocketsNonblocking(t *testing.T) {
	for _, network := range sharedNetworks {
		labs := sharedLabs(e2etest.Start(t, "lab", server.Quick(2)), network, sharedAddress(t, network))
		labs[0].must("file", "name", "s")
		if labs[1].isBlocking("s") {
			t.Errorf("%s: File().Fd() has cleared O_NONBLOCK in every worker", network)
		}
	}
}

func sharedAddress(t *testing.T, network string) string {
	if strings.HasPrefix(network, "unix") {
		return e2etest.ShortDir(t) + "/s"
	}
	return e2etest.FreeAddress(t)
}

// All workers share O_NONBLOCK. If one clears it with fcntl(2), Close and drains still work
// in all.
func TestBlockingSocketsStillDrain(t *testing.T) {
	t.Parallel()
	e2etest.SkipShort(t)
	for _, network := range sharedNetworks {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			address := sharedAddress(t, network)
			p := e2etest.Start(t, "lab", server.Quick(2))
			labs := sharedLabs(p, network, address)
			labs[0].must("clear", "name", "s")
			if !labs[1].isBlocking("s") {
				t.Fatal("O_NONBLOCK is not shared between workers")
			}
			wantBoth(t, network, address) // workers still answer on a blocking socket
			wantBoth(t, network, address)
			// Now both workers have a thread in accept(2) or recvfrom(2).
			took, err := time.ParseDuration(labs[0].must("timed-close", "name", "s"))
			if err != nil || took > time.Second {
				t.Errorf("Close took %v, %v", took, err)
			}
			for range 5 {
				if who, err := askOnce(network, address); err != nil || !strings.Contains(who, fmt.Sprint(labs[1].pid)) {
					t.Fatalf("%q, %v", who, err)
				}
			}
			// The other worker drains also with a blocking socket. After the reload no lab
			// serves it until the test says so.
			if labs[0].listen("s", network, address); labs[1].isBlocking("s") {
				t.Error("Listen in a worker doesn't set O_NONBLOCK again")
			}
			labs[1].must("clear", "name", "s")
			wantBoth(t, network, address)
			wantBoth(t, network, address)
			begin := time.Now()
			p.Reload()
			p.WaitLog(e2etest.WorkerLeft, 2)
			if took := time.Since(begin); took > 20*time.Second { // the new workers are first waited for to serve it too
				t.Errorf("the reload took %v", took)
			}
			if n := p.Logged(e2etest.WorkerForced); n > 0 {
				t.Errorf("%d workers had to be forced:\n%s", n, p.Log)
			}
		})
	}
}

// A worker that calls shutdown(2) on a socket stops it for all (SECURITY.md). A TCP socket
// listens again at once. A unix socket is bound anew when the next worker asks for it.
func TestShutDownByAWorker(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"tcp", "unix", "unixpacket"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			address := sharedAddress(t, network)
			labs := sharedLabs(e2etest.Start(t, "lab", server.Quick(2)), network, address)
			wantBoth(t, network, address)
			labs[0].must("shut-down", "name", "s", "how", fmt.Sprint(unix.SHUT_RDWR))
			if network == "tcp" {
				e2etest.WaitFor(t, "the socket to listen again", func() bool {
					_, err := askOnce(network, address)
					return err == nil
				})
			} else {
				labs[1].must("close", "name", "s")
				labs[1].listen("s", network, address)
				for range 5 {
					if who, err := askOnce(network, address); err != nil || !strings.Contains(who, fmt.Sprint(labs[1].pid)) {
						t.Fatalf("%q, %v", who, err)
					}
				}
				labs[0].must("close", "name", "s")
				labs[0].listen("s", network, address)
			}
			wantBoth(t, network, address)
		})
	}
}

// A worker that shuts down a socket for datagrams, in whatever direction, ends the reads of all, as
// it ends their Accept. A UDP socket is bound anew, too, when the next worker asks for it.
func TestShutDownOfPackets(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"udp", "unixgram"} {
		for _, how := range []int{unix.SHUT_RD, unix.SHUT_WR, unix.SHUT_RDWR} {
			t.Run(fmt.Sprint(network, how), func(t *testing.T) {
				t.Parallel()
				address := sharedAddress(t, network)
				p := e2etest.Start(t, "lab", server.Quick(2))
				labs := sharedLabs(p, network, address)
				wantBoth(t, network, address)
				labs[0].must("shut-down", "name", "s", "how", fmt.Sprint(how))
				if how == unix.SHUT_WR {
					sendOne(t, network, address) // the answer fails
				}
				e2etest.WaitFor(t, "the end of both reads", func() bool {
					return strings.Count(p.Log.String(), "another process has shut the socket down") == 2
				})
				for _, lab := range labs {
					lab.must("close", "name", "s")
					lab.listen("s", network, address)
				}
				wantBoth(t, network, address)
			})
		}
	}
}

// sendOne sends a datagram, and waits for no answer.
func sendOne(t *testing.T, network, address string) {
	t.Helper()
	var local net.Addr
	if network == "unixgram" {
		local = &net.UnixAddr{Name: e2etest.ShortDir(t) + "/c", Net: network}
	}
	c, err := (&net.Dialer{LocalAddr: local}).Dial(network, address)
	e2etest.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	_, err = c.Write([]byte("who?"))
	e2etest.NoError(t, err)
}

// A client that shuts its own socket down, so that the answer fails with EPIPE too, ends nothing.
func TestClientThatShutsDown(t *testing.T) {
	address := e2etest.ShortDir(t) + "/s"
	p := e2etest.Start(t, "lab", server.Quick(2))
	sharedLabs(p, "unixgram", address)
	c, err := net.DialUnix("unixgram", &net.UnixAddr{Name: e2etest.ShortDir(t) + "/c", Net: "unixgram"}, &net.UnixAddr{Name: address, Net: "unixgram"})
	e2etest.NoError(t, err)
	defer c.Close()
	e2etest.NoError(t, c.CloseRead())
	for range 10 {
		_, err = c.Write([]byte("who?"))
		e2etest.NoError(t, err)
	}
	for range 20 {
		if _, err := askOnce("unixgram", address); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Contains(p.Log.String(), "read ends") {
		t.Errorf("a client ends the reads:\n%s", p.Log)
	}
}

// Shutting down one worker's copy would end the socket of all workers, so CloseRead of a
// shared socket returns an error.
func TestCloseReadOfASharedSocketFails(t *testing.T) {
	path := e2etest.ShortDir(t) + "/s"
	labs := sharedLabs(e2etest.Start(t, "lab", server.Quick(2)), "unixgram", path)
	if _, err := labs[0].try("shutdown", "name", "s"); err == nil || !strings.Contains(err.Error(), "every worker") {
		t.Errorf("CloseRead: %v", err)
	}
	wantBoth(t, "unixgram", path)
}

// labShutdown ends reading.
func labShutdown(v url.Values) (string, error) {
	return "", opened(v).(interface{ CloseRead() error }).CloseRead()
}

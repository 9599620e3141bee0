//go:build linux

package socket

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/worker"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

func udpSlow()  { answerSlowly(false, net.PacketConn.ReadFrom) }
func udpApart() { answerSlowly(true, net.PacketConn.ReadFrom) }
func udpBatch() { answerSlowly(false, readBatch) }

// readBatch is ReadFrom by golang.org/x/net, which doesn't use the methods of the conn.
func readBatch(pc net.PacketConn, b []byte) (int, net.Addr, error) {
	m := []ipv4.Message{{Buffers: [][]byte{b}}}
	_, err := ipv4.NewPacketConn(pc).ReadBatch(m, 0)
	return m[0].N, m[0].Addr, err
}

// answerSlowly answers each datagram after 300 ms: in the loop that reads, or in another
// goroutine if apart is set.
func answerSlowly(apart bool, read func(net.PacketConn, []byte) (int, net.Addr, error)) {
	conn, err := rota.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	self := worker.Self()
	var group sync.WaitGroup
	if apart {
		self.OnDisconnect(func(ctx context.Context) error { group.Wait(); return nil })
	}
	go func() {
		<-self.Disconnecting()
		fmt.Fprintln(os.Stderr, "drains", os.Getpid())
	}()
	for b := make([]byte, 512); ; {
		n, from, err := read(conn, b)
		if err != nil {
			fmt.Fprintf(os.Stderr, "read fails: %v %v\n", errors.Is(err, net.ErrClosed), err)
			return
		}
		answer := fmt.Sprintf("%s by %d", b[:n], self.Generation())
		fmt.Fprintln(os.Stderr, "has", answer)
		work := func() {
			defer group.Done()
			time.Sleep(300 * time.Millisecond)
			if _, err := conn.WriteTo([]byte(answer), from); err != nil {
				fmt.Fprintln(os.Stderr, "can't answer:", err)
			}
		}
		group.Add(1)
		if apart {
			go work()
		} else {
			work()
		}
	}
}

// A datagram that a worker has read before its drain is answered. Those in the queue go to
// the successor.
func TestPacketsAcrossTheDrain(t *testing.T) {
	t.Parallel()
	for _, helper := range []string{"udp-slow", "udp-apart", "udp-batch"} {
		t.Run(helper, func(t *testing.T) {
			t.Parallel()
			p := e2etest.Start(t, helper, server.Quick(1))
			c, err := net.Dial("udp", p.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(e2etest.Stuck))
			fmt.Fprint(c, "one")
			p.WaitOutput("has one", 1)
			p.Signal(syscall.SIGHUP)
			p.WaitOutput("drains", 1)
			for _, s := range []string{"two", "three"} {
				fmt.Fprint(c, s)
			}
			got := map[string]bool{}
			for range 3 {
				b := make([]byte, 512)
				n, err := c.Read(b)
				if err != nil {
					t.Fatalf("got %v, then %v", got, err)
				}
				got[string(b[:n])] = true
			}
			for _, want := range []string{"one by 1", "two by 2", "three by 2"} {
				if !got[want] {
					t.Errorf("no answer %q, but %v", want, got)
				}
			}
			p.WaitOutput("read fails: true ", 1)
			p.WaitLog(e2etest.WorkerLeft, 1)
			if n := p.Log.Count("can't answer"); n > 0 {
				t.Errorf("%d datagrams could not be answered", n)
			}
		})
	}
}

// Datagrams that come while no worker reads, because it has died or left, wait in the
// queue.
func TestPacketsWaitForAReader(t *testing.T) {
	t.Parallel()
	dir := e2etest.ShortDir(t)
	for _, network := range []string{"udp", "unixgram"} {
		address := e2etest.FreeAddress(t)
		if network == "unixgram" {
			address = dir + "/s"
		}
		p := e2etest.Start(t, "lab", server.Quick(1), e2etest.FlagsEnv+"=a "+network+" "+address)
		first := labsOf(p, 1)[0]
		e2etest.StandStill(t, first.pid)
		const n = 20
		var answered atomic.Int32
		var group sync.WaitGroup
		for range n {
			group.Add(1)
			go func() {
				defer group.Done()
				if _, err := askOnce(network, address); err == nil {
					answered.Add(1)
				}
			}()
		}
		time.Sleep(50 * time.Millisecond) // usually enough for the datagrams to arrive first
		e2etest.Kill(t, first.pid)
		group.Wait()
		if got := answered.Load(); got != n {
			t.Errorf("%s: %d of %d datagrams were answered", network, got, n)
		}
	}
}

// A conn on a wildcard address answers from the address that was asked, in each generation
// (docs/contract.md#returned-source).
func TestPacketsFromTheAddressThatWasAsked(t *testing.T) {
	port := e2etest.FreePort(t)
	p := e2etest.Start(t, "lab", server.Quick(1), e2etest.FlagsEnv+"=a udp4 :"+port)
	for range 3 {
		for _, host := range []string{"127.0.0.1", "127.0.0.2", "127.9.9.9"} {
			if _, err := askOnce("udp4", host+":"+port); err != nil {
				t.Error(err)
			}
		}
		p.Reload()
	}
}

// The deadline that the program has set holds before and during a drain.
func TestPacketDeadline(t *testing.T) {
	p := e2etest.Start(t, "udp-deadline", server.Quick(1))
	p.WaitOutput("no deadline", 1)
	p.Signal(syscall.SIGTERM)
	p.Wait()
	for _, line := range []string{"before: true", "during: true", "extended: true", "after: true"} {
		if p.Log.Count(line) != 1 {
			t.Errorf("no line %q:\n%s", line, p.Log)
		}
	}
}

func udpDeadline() {
	conn, err := rota.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	b, self := make([]byte, 64), worker.Self()
	read := func(when string, want error) {
		_, _, err := conn.ReadFrom(b)
		for when == "after" && errors.Is(err, os.ErrDeadlineExceeded) { // set by the hook
			_, _, err = conn.ReadFrom(b)
		}
		fmt.Fprintf(os.Stderr, "%s: %v %v\n", when, errors.Is(err, want), err)
	}
	self.OnDisconnect(func(ctx context.Context) error {
		conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		read("during", os.ErrDeadlineExceeded)
		done := make(chan struct{})
		conn.SetReadDeadline(time.Now().Add(time.Hour))
		go func() { read("extended", os.ErrDeadlineExceeded); close(done) }()
		time.Sleep(10 * time.Millisecond)
		conn.SetDeadline(time.Unix(1, 0))
		<-done
		conn.SetReadDeadline(time.Time{})
		return nil
	})
	conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	read("before", os.ErrDeadlineExceeded)
	conn.SetReadDeadline(time.Time{})
	fmt.Fprintln(os.Stderr, "no deadline") // before the hook sets one
	read("after", net.ErrClosed)
}

// labBatch reads n datagrams with ReadBatch, and answers them with WriteBatch.
func labBatch(v url.Values) (string, error) {
	var n int
	fmt.Sscan(v.Get("n"), &n)
	pc := opened(v).(net.PacketConn)
	read, write := ipv4.NewPacketConn(pc).ReadBatch, ipv4.NewPacketConn(pc).WriteBatch
	if v.Get("family") == "6" {
		six := ipv6.NewPacketConn(pc)
		read, write = func(ms []ipv4.Message, flags int) (int, error) { return six.ReadBatch(ms, flags) }, func(ms []ipv4.Message, flags int) (int, error) { return six.WriteBatch(ms, flags) }
	}
	for done := 0; done < n; {
		messages := make([]ipv4.Message, n)
		for i := range messages {
			messages[i].Buffers = [][]byte{make([]byte, 64)}
		}
		k, err := read(messages, 0)
		if err != nil {
			return "", err
		}
		for i := range messages[:k] {
			messages[i].Buffers[0] = messages[i].Buffers[0][:messages[i].N]
		}
		if _, err := write(messages[:k], 0); err != nil {
			return "", err
		}
		done += k
	}
	return "", nil
}

func TestPacketBatch(t *testing.T) {
	lab := labsOf(e2etest.Start(t, "lab", server.Quick(1)), 1)[0]
	for family, address := range map[string]string{"4": "127.0.0.1:0", "6": "[::1]:0"} {
		if err := plainly("udp", address); err != nil {
			continue
		}
		addr := lab.must("listen", "name", family, "network", "udp", "address", address)
		c, err := net.Dial("udp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		const n = 10
		for i := range n {
			fmt.Fprint(c, i)
		}
		lab.must("batch", "name", family, "n", fmt.Sprint(n), "family", family)
		c.SetDeadline(time.Now().Add(e2etest.Stuck))
		for i := range n {
			b := make([]byte, 64)
			if k, err := c.Read(b); err != nil || string(b[:k]) != fmt.Sprint(i) {
				t.Errorf("answer %d: %q, %v", i, b[:k], err)
			}
		}
		lab.must("close", "name", family) // the lab no longer reads, and a drain would wait for it
	}
}

// labBuffer sets the sizes of the buffers.
func labBuffer(v url.Values) (string, error) {
	pc := opened(v)
	b, ok := pc.(interface {
		SetReadBuffer(int) error
		SetWriteBuffer(int) error
		ReadMsgUDP(b, oob []byte) (n, oobn, flags int, addr *net.UDPAddr, err error)
		WriteMsgUDP(b, oob []byte, addr *net.UDPAddr) (n, oobn int, err error)
	})
	if !ok {
		return "", fmt.Errorf("%T lacks a method of *net.UDPConn", pc)
	}
	return "", errors.Join(b.SetReadBuffer(1<<17), b.SetWriteBuffer(1<<16))
}

func TestPacketBuffer(t *testing.T) {
	p := e2etest.Start(t, "lab", server.Quick(2))
	labs := labsOf(p, 2)
	for _, lab := range labs {
		lab.must("listen", "name", "u", "network", "udp", "address", "127.0.0.1:0")
	}
	labs[0].must("buffer", "name", "u")
	args := []string{"name", "u", "level", fmt.Sprint(syscall.SOL_SOCKET), "option", fmt.Sprint(syscall.SO_RCVBUF)}
	if one, two := labs[0].must("option", args...), labs[1].must("option", args...); one != fmt.Sprint(1<<18) || two != one {
		t.Errorf("SO_RCVBUF is %s in one worker and %s in the other, want %d in both", one, two, 1<<18)
	}
}

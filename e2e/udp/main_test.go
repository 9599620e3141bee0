//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os/exec"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/quic-go/quic-go"
	"github.com/rota-go/rota/internal/e2etest"
)

// start runs the program with a server on all addresses, and returns its port.
func start(t *testing.T, server string) (*e2etest.Process, string) {
	t.Helper()
	port := e2etest.FreePort(t)
	p := e2etest.Run(t, exec.Command(e2etest.Build(t, "."), "-server", server, "-addr", ":"+port))
	p.WaitLog(e2etest.WorkerReady, 1)
	return p, port
}

// hosts are addresses of this machine. A socket that has sent a question to one of
// them takes no answer from another.
func hosts(t *testing.T) []string {
	t.Helper()
	all := []string{"127.0.0.1", "127.0.0.2", "127.77.7.7"}
	if pc, err := net.ListenPacket("udp6", "[::1]:0"); err == nil {
		pc.Close()
		all = append(all, "::1")
	}
	return all
}

// ask asks a name server, once, on a connected socket: the kernel drops an answer that
// comes from another address.
func ask(address string) error {
	q := new(dns.Msg).SetQuestion("rota.example.", dns.TypeTXT)
	c, err := dns.DialTimeout("udp", address, e2etest.Stuck)
	if err != nil {
		return err
	}
	defer c.Close()
	client := dns.Client{Timeout: e2etest.Stuck}
	answer, _, err := client.ExchangeWithConn(q, c)
	if err != nil {
		return fmt.Errorf("%s: %w", address, err)
	}
	if len(answer.Answer) != 1 {
		return fmt.Errorf("%s: %v", address, answer)
	}
	return nil
}

// An unchanged miekg/dns on a wildcard address answers from the address that was asked,
// and no question is lost in reloads.
func TestDNSReloadUnderQuestions(t *testing.T) {
	p, port := start(t, "dns")
	all := hosts(t)
	for _, host := range all {
		if err := ask(net.JoinHostPort(host, port)); err != nil {
			t.Fatal(err)
		}
	}
	var n atomic.Int64
	e2etest.UnderLoad(p, 8, 10, func() error {
		return ask(net.JoinHostPort(all[int(n.Add(1))%len(all)], port))
	})
	p.Signal(syscall.SIGTERM)
	if status := p.Wait(); status != 0 || p.Log.Count("can't answer") > 0 {
		t.Errorf("status %d:\n%s", status, p.Log)
	}
}

// A resolver that asks all name servers at once from one socket gets an answer from each.
func TestOneSocketAsksTwoServers(t *testing.T) {
	p, port := start(t, "dns")
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(e2etest.Stuck))
	var id uint16
	for range 5 {
		want := map[string]uint16{}
		for _, host := range []string{"127.0.0.2", "127.0.0.3"} {
			id++
			q := new(dns.Msg).SetQuestion("rota.example.", dns.TypeTXT)
			q.Id = id
			b, _ := q.Pack()
			to, _ := net.ResolveUDPAddr("udp", host+":"+port)
			if _, err := c.WriteTo(b, to); err != nil {
				t.Fatal(err)
			}
			want[to.String()] = id
		}
		for range len(want) {
			b := make([]byte, 512)
			n, from, err := c.ReadFrom(b)
			if err != nil {
				t.Fatal(err)
			}
			var answer dns.Msg
			if err := answer.Unpack(b[:n]); err != nil || want[from.String()] != answer.Id {
				t.Errorf("answer %d from %v, %v, want %v", answer.Id, from, err, want)
			}
		}
		p.Reload()
	}
}

// A *net.UDPConn of the conn's File serves too, before and after a reload.
func TestUDPConnOfAFile(t *testing.T) {
	p, port := start(t, "dns-udpconn")
	for range 3 {
		for _, host := range hosts(t) {
			if err := ask(net.JoinHostPort(host, port)); err != nil {
				t.Fatal(err)
			}
		}
		p.Reload()
		p.WaitLog(e2etest.WorkerLeft, 1)
	}
}

// A server that does by itself what the conn does gets its control messages, in reloads too.
func TestControlMessages(t *testing.T) {
	for server, host := range map[string]string{"ipv4": "127.0.0.2", "ipv6": "::1"} {
		t.Run(server, func(t *testing.T) {
			if host == "::1" && len(hosts(t)) == 3 {
				t.Skip("no IPv6")
			}
			p, port := start(t, server)
			e2etest.UnderLoad(p, 4, 5, func() error { return exchange(net.JoinHostPort(host, port)) })
		})
	}
}

func exchange(address string) error {
	c, err := net.Dial("udp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(e2etest.Stuck))
	if _, err := c.Write([]byte("question")); err != nil {
		return err
	}
	b := make([]byte, 64)
	n, err := c.Read(b)
	if err == nil && string(b[:n]) != "question" {
		err = fmt.Errorf("got %q", b[:n])
	}
	return err
}

// quic-go uses the conn's ReadMsgUDP and WriteMsgUDP, by their names.
func TestQUICFromTheAddressThatWasAsked(t *testing.T) {
	_, port := start(t, "quic")
	for _, host := range hosts(t) {
		if err := echoes(net.JoinHostPort(host, port)); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
}

func echoes(address string) error {
	ctx, cancel := context.WithTimeout(context.Background(), e2etest.Stuck)
	defer cancel()
	c, err := quic.DialAddr(ctx, address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"echo"}}, nil)
	if err != nil {
		return err
	}
	defer c.CloseWithError(0, "")
	s, err := c.OpenStreamSync(ctx)
	if err != nil {
		return err
	}
	if _, err := s.Write([]byte("whole")); err != nil {
		return err
	}
	_ = s.Close()
	b, err := io.ReadAll(s)
	if err == nil && string(b) != "whole" {
		err = fmt.Errorf("got %q", b)
	}
	return err
}

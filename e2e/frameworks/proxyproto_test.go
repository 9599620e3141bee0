//go:build linux

package main

import (
	"fmt"
	"net"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"
	"github.com/rota-go/rota/internal/e2etest"
)

// A connection that begins with a header of the PROXY protocol never moves: another process
// would wait for a header, or take the balancer for the client. Reloads cost no request, and each
// answer names the client of the header.
func TestProxyProtocol(t *testing.T) {
	for _, version := range []byte{1, 2} {
		t.Run(fmt.Sprint("version ", version), func(t *testing.T) {
			p := e2etest.Run(t, exec.Command(e2etest.Build(t, "."), "-addr", e2etest.FreeAddress(t), "-framework", "proxyproto"))
			p.WaitLog(e2etest.WorkerReady, 1)
			l := e2etest.NewLoad()
			var stayed atomic.Int64
			var clients []*behindProxy
			for i := range 8 {
				c := &behindProxy{addr: p.Addr(), version: version, source: fmt.Sprintf("192.0.2.%d:%d", i+1, 40000+i)}
				clients = append(clients, c)
				l.Add(1, func() (string, error) { return "", c.request(p, &stayed) })
			}
			l.Goes(t, 16)
			for range reloads {
				p.Reload()
				l.Goes(t, 64)
			}
			l.MustBeWhole(t)
			for _, c := range clients {
				c.end()
			}
			if stayed.Load() == 0 {
				t.Error("no connection had a request before a reload and another one after it")
			}
		})
	}
}

// behindProxy is a balancer's connections for one client. Each is used for a while.
type behindProxy struct {
	addr, source string
	version      byte

	conn       net.Conn
	http       *e2etest.Conn
	begin      time.Time
	server     string // who has answered on the connection
	generation int    // how many workers were ready when the connection began
	crossed    bool   // a reload has happened since
}

// request makes a request on the connection, or on a new one.
func (c *behindProxy) request(p *e2etest.Process, stayed *atomic.Int64) error {
	if c.conn == nil {
		if err := c.dial(p); err != nil {
			return err
		}
	}
	time.Sleep(2 * time.Millisecond)
	ready := p.Logged(e2etest.ReloadDone)
	body, closes, err := c.http.RoundTrip(e2etest.Get("/"))
	if err != nil {
		return err
	}
	var client, server string
	_, _ = fmt.Sscan(body, &client, &server)
	switch {
	case client != c.source:
		return fmt.Errorf("the client is %s, and the header said %s", client, c.source)
	case c.server != "" && server != c.server:
		return fmt.Errorf("the connection has moved from process %s to %s", c.server, server)
	}
	if c.server = server; ready > c.generation && !c.crossed {
		c.crossed = true
		stayed.Add(1)
	}
	if closes || time.Since(c.begin) > 300*time.Millisecond {
		c.end()
	}
	return nil
}

// end ends the connection, if there is one.
func (c *behindProxy) end() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

func (c *behindProxy) dial(p *e2etest.Process) (err error) {
	c.generation, c.crossed, c.server, c.begin = p.Logged(e2etest.ReloadDone), false, "", time.Now()
	if c.conn, err = net.DialTimeout("tcp", c.addr, e2etest.Stuck); err != nil {
		return err
	}
	source, err := net.ResolveTCPAddr("tcp", c.source)
	if err != nil {
		return err
	}
	header := proxyproto.HeaderProxyFromAddrs(c.version, source, c.conn.RemoteAddr())
	if _, err := header.WriteTo(c.conn); err != nil {
		return err
	}
	c.http = e2etest.NewConn(c.conn)
	return nil
}

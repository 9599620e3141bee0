//go:build linux

package socket

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/worker"
)

// A lab is a worker that does with sockets what a test tells it by HTTP, on an exclusive
// port of its own. Each path is an order.

// orders are what a lab can be told, by name. They run in the worker.
var orders = map[string]func(url.Values) (string, error){
	"listen":      labListen,
	"close":       labClose,
	"shut-down":   labShutDown,
	"serve":       labServe,
	"take":        labTake,
	"whoami":      labWhoami,
	"chdir":       func(v url.Values) (string, error) { return "", os.Chdir(v.Get("dir")) },
	"env":         func(v url.Values) (string, error) { return os.Getenv(v.Get("name")), nil },
	"address":     func(v url.Values) (string, error) { return addressOf(opened(v)), nil },
	"exit":        func(url.Values) (string, error) { os.Exit(7); return "", nil },
	"disconnect":  func(url.Values) (string, error) { return "", worker.Self().Disconnect() },
	"compare":     labCompare,
	"file":        labFile,
	"clear":       labClear,
	"flags":       labFlags,
	"timed-close": labTimedClose,
	"shutdown":    labShutdown,
	"pour":        labPour,
	"pipe":        labPipe,
	"half":        labHalf,
	"pairs":       labPairs,
	"time":        labTime,
	"option":      labOption,
	"keepalive":   labKeepAlive,
	"many":        labMany,
	"batch":       labBatch,
	"buffer":      labBuffer,
	"reopen":      labReopen,
}

// labWhoami answers with the worker's user, group and other groups.
func labWhoami(url.Values) (string, error) {
	groups, err := os.Getgroups()
	return fmt.Sprint(os.Getuid(), " ", os.Getgid(), " ", groups), err
}

func lab() {
	lc := rota.ListenConfig{Exclusive: true, Opaque: true}
	ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	openAtStart(os.Getenv(e2etest.FlagsEnv))
	self := worker.Self()
	fmt.Fprintf(os.Stderr, "lab slot=%d generation=%d id=%d pid=%d addr=%s.\n", self.Slot(), self.Generation(), self.ID(), os.Getpid(), ln.Addr())
	log.Fatal(http.Serve(ln, http.HandlerFunc(obeyOrder)))
}

// openAtStart opens and serves the sockets of the flags before the worker is ready. Each
// line has a name, a network and an address.
func openAtStart(flags string) {
	for _, line := range strings.Split(flags, "\n") {
		f := strings.Fields(line)
		if len(f) != 3 {
			continue
		}
		v := url.Values{"name": {f[0]}, "network": {f[1]}, "address": {f[2]}}
		if _, err := labListen(v); err != nil {
			log.Fatal(err)
		}
		labServe(v)
	}
}

func obeyOrder(w http.ResponseWriter, r *http.Request) {
	order := orders[r.URL.Path[1:]]
	if order == nil {
		http.Error(w, "no order "+r.URL.Path, http.StatusNotFound)
		return
	}
	answer, err := order(r.URL.Query())
	if err != nil {
		w.WriteHeader(http.StatusConflict)
		answer = err.Error()
	}
	io.WriteString(w, answer)
}

// open has the lab's sockets by name.
var open = struct {
	sync.Mutex
	m map[string]io.Closer
}{m: map[string]io.Closer{}}

func opened(v url.Values) io.Closer {
	open.Lock()
	defer open.Unlock()
	return open.m[v.Get("name")]
}

func labConfig(v url.Values) rota.ListenConfig {
	backlog, _ := strconv.Atoi(v.Get("backlog"))
	mode, _ := strconv.ParseUint(v.Get("mode"), 8, 32)
	idle, _ := time.ParseDuration(v.Get("idle"))
	return rota.ListenConfig{
		Exclusive: v.Has("exclusive"), Backlog: backlog, Mode: fs.FileMode(mode),
		KeepAliveConfig: net.KeepAliveConfig{Enable: idle != 0, Idle: idle},
	}
}

// labListen opens a socket and answers with its address.
func labListen(v url.Values) (string, error) {
	c, addr, err := labOpen(labConfig(v), v.Get("network"), v.Get("address"))
	if err != nil {
		return "", err
	}
	open.Lock()
	defer open.Unlock()
	open.m[v.Get("name")] = c
	return addr.String(), nil
}

func labOpen(lc rota.ListenConfig, network, address string) (io.Closer, net.Addr, error) {
	if isPacket(network) {
		pc, err := lc.ListenPacket(context.Background(), network, address)
		if err != nil {
			return nil, nil, err
		}
		return pc, pc.LocalAddr(), nil
	}
	ln, err := lc.Listen(context.Background(), network, address)
	if err != nil {
		return nil, nil, err
	}
	return ln, ln.Addr(), nil
}

func isPacket(network string) bool {
	return network == "fdgram" || network == "unixgram" || len(network) >= 3 && network[:3] == "udp"
}

func addressOf(s io.Closer) string {
	switch s := s.(type) {
	case net.Listener:
		return s.Addr().String()
	case net.PacketConn:
		return s.LocalAddr().String()
	}
	return "nothing is open"
}

func labClose(v url.Values) (string, error) { return "", opened(v).Close() }

// labServe starts to answer all that comes with slot, generation and pid.
func labServe(v url.Values) (string, error) {
	self := worker.Self()
	who := fmt.Sprintf("slot %d generation %d pid %d", self.Slot(), self.Generation(), os.Getpid())
	switch s := opened(v).(type) {
	case net.Listener:
		go serveConns(s, who)
	case net.PacketConn:
		go servePackets(s, who)
	}
	return "", nil
}

func serveConns(ln net.Listener, who string) {
	for {
		c, err := ln.Accept()
		if err != nil {
			fmt.Fprintln(os.Stderr, "lab: accept ends:", err)
			return
		}
		io.WriteString(c, who)
		c.Close()
	}
}

func servePackets(pc net.PacketConn, who string) {
	b := make([]byte, 1<<16)
	for {
		_, from, err := pc.ReadFrom(b)
		if err != nil {
			fmt.Fprintln(os.Stderr, "lab: read ends:", err)
			return
		}
		pc.WriteTo([]byte(who), from)
	}
}

// labTake reads from one connection, or one datagram, and answers with what it has read.
func labTake(v url.Values) (string, error) {
	b := make([]byte, 1<<16)
	switch s := opened(v).(type) {
	case net.Listener:
		c, err := s.Accept()
		if err != nil {
			return "", err
		}
		defer c.Close()
		n, err := c.Read(b)
		return string(b[:n]), err
	case net.PacketConn:
		n, from, err := s.ReadFrom(b)
		if err == nil && from != nil && from.String() != "" {
			_, err = s.WriteTo(b[:n], from)
		}
		return string(b[:n]), err
	}
	return "", fmt.Errorf("nothing is open as %q", v.Get("name"))
}

// bench is a lab worker, as the test sees it.
type bench struct {
	t                testing.TB
	slot, generation int
	pid              int
	addr             string
}

var benchPattern = regexp.MustCompile(`lab slot=(\d+) generation=(\d+) id=\d+ pid=(\d+) addr=(\S+)\.\n`)

// benches returns all labs that were started, in that order.
func benches(t testing.TB, p *e2etest.Process) (all []bench) {
	for _, m := range benchPattern.FindAllStringSubmatch(p.Log.String(), -1) {
		b := bench{t: t, addr: m[4]}
		b.slot, _ = strconv.Atoi(m[1])
		b.generation, _ = strconv.Atoi(m[2])
		b.pid, _ = strconv.Atoi(m[3])
		all = append(all, b)
	}
	return all
}

// labsOf waits for n labs, and returns the newest of each slot.
func labsOf(p *e2etest.Process, n int) []bench {
	t := p.TB()
	t.Helper()
	p.WaitOutput("lab slot=", n)
	all := make([]bench, n)
	for _, b := range benches(t, p) {
		all[b.slot] = b
	}
	return all
}

// try gives an order. The error is the lab's, or that the lab couldn't be reached.
func (b bench) try(order string, args ...string) (string, error) {
	v := url.Values{}
	for i := 0; i < len(args); i += 2 {
		v.Set(args[i], args[i+1])
	}
	client := http.Client{Timeout: e2etest.Stuck, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + b.addr + "/" + order + "?" + v.Encode())
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		return "", &labError{string(body)}
	}
	return string(body), err
}

// labError is an error of the lab, which has answered.
type labError struct{ text string }

func (e *labError) Error() string { return e.text }

// must gives an order that must succeed.
func (b bench) must(order string, args ...string) string {
	b.t.Helper()
	answer, err := b.try(order, args...)
	if err != nil {
		b.t.Fatalf("%s %v: %v", order, args, err)
	}
	return answer
}

// listen makes the lab open and serve a socket, and returns its address.
func (b bench) listen(name, network, address string, more ...string) string {
	b.t.Helper()
	addr := b.must("listen", append([]string{"name", name, "network", network, "address", address}, more...)...)
	b.must("serve", "name", name)
	return addr
}

// into gives an order whose answer is JSON.
func (b bench) into(v any, order string, args ...string) {
	b.t.Helper()
	if err := json.Unmarshal([]byte(b.must(order, args...)), v); err != nil {
		b.t.Fatal(err)
	}
}

// askOnce makes a connection or sends a datagram, and returns the answer.
func askOnce(network, addr string) (string, error) {
	if isPacket(network) {
		return askPacket(network, addr)
	}
	c, err := net.DialTimeout(network, addr, e2etest.Stuck)
	if err != nil {
		return "", err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(e2etest.Stuck))
	b, err := io.ReadAll(c)
	if err == nil && len(b) == 0 {
		err = io.ErrUnexpectedEOF
	}
	return string(b), err
}

func askPacket(network, addr string) (string, error) {
	var local net.Addr
	if network == "unixgram" {
		dir, err := os.MkdirTemp("", "r")
		if err != nil {
			return "", err
		}
		defer os.RemoveAll(dir)
		local = &net.UnixAddr{Name: dir + "/c", Net: network}
	}
	d := net.Dialer{LocalAddr: local}
	c, err := d.Dial(network, addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(e2etest.Stuck))
	if _, err := c.Write([]byte("who?")); err != nil {
		return "", err
	}
	b := make([]byte, 1024)
	n, err := c.Read(b)
	return string(b[:n]), err
}

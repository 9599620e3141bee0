package health

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/reload"
	"github.com/rota-go/rota/status"
)

// fakeMaster answers what a test wants.
type fakeMaster struct {
	ready, slots int
	state        reload.State
	mu           sync.Mutex // for state, once a test has begun
	by           string     // who has drained
	refuses      error
	asked        atomic.Int32
	hold         chan struct{} // if not nil, Serving waits for its end
}

func (m *fakeMaster) Serving() (int, int, reload.State) {
	m.asked.Add(1)
	if m.hold != nil {
		<-m.hold
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ready, m.slots, m.state
}

func (m *fakeMaster) SetDrained(ctx context.Context, drained bool) error {
	if m.hold != nil {
		<-m.hold
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state, m.by = m.state.SetDrained(drained), status.Caller(ctx)
	return m.refuses
}

func (m *fakeMaster) drained() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state.Drained()
}

func (m *fakeMaster) Listen(_ context.Context, network, address string) (net.Listener, error) {
	return net.Listen(network, address)
}

// after returns the state of a master after the events.
func after(t *testing.T, events ...any) (s reload.State) {
	t.Helper()
	for _, e := range events {
		ok := true
		switch e := e.(type) {
		case reload.Change:
			answer := reload.Begins
			s, answer = s.Begin(e)
			ok = answer == reload.Begins
		case reload.Event:
			s, ok = s.On(e)
		case string:
			s = s.Leave()
		}
		if !ok {
			t.Fatalf("no %v in phase %v", e, s.Phase())
		}
	}
	return s
}

// What each kind of check says, by what is known of the master.
func TestAnswers(t *testing.T) {
	serving := after(t, reload.ChangeStart, reload.EventPrepared, reload.EventEstablished)
	delay := after(t, reload.ChangeStart, reload.EventPrepared, reload.EventEstablished, "leave")
	stopping := after(t, reload.ChangeStart, reload.EventPrepared, reload.EventEstablished, reload.ChangeStop)
	closed := after(t, reload.ChangeClose)
	for name, c := range map[string]struct {
		r           report
		cfg         Config
		live, ready bool
		agent       string
	}{
		"all":                        {report{true, 4, 4, serving}, Config{}, true, true, "ready up 100%"},
		"three of four":              {report{true, 3, 4, serving}, Config{}, true, true, "ready up 75%"},
		"seven of eight":             {report{true, 7, 8, serving}, Config{}, true, true, "ready up 87%"},
		"one of 200":                 {report{true, 1, 200, serving}, Config{}, true, true, "ready up 1%"},
		"none":                       {report{true, 0, 4, serving}, Config{}, true, false, "down"},
		"none is kept":               {report{true, 0, 0, reload.State{}}, Config{}, true, false, "down"},
		"fewer than MinReady":        {report{true, 2, 4, serving}, Config{MinReady: 3}, true, false, "down"},
		"MinReady":                   {report{true, 3, 4, serving}, Config{MinReady: 3}, true, true, "ready up 75%"},
		"fewer slots than MinReady":  {report{true, 2, 2, serving}, Config{MinReady: 3}, true, true, "ready up 100%"},
		"drained":                    {report{true, 4, 4, serving.SetDrained(true)}, Config{ReadyInDelay: true}, true, false, "drain"},
		"StopDelay":                  {report{true, 4, 4, delay}, Config{}, true, false, "drain"},
		"StopDelay, ready in it":     {report{true, 4, 4, delay}, Config{ReadyInDelay: true}, true, true, "drain"},
		"stopping":                   {report{true, 4, 4, stopping}, Config{ReadyInDelay: true}, true, false, "drain"},
		"closed":                     {report{true, 0, 0, closed}, Config{}, false, false, "down"},
		"no answer":                  {report{}, Config{}, false, false, "down"},
		"no answer, but was drained": {report{state: serving.SetDrained(true)}, Config{}, false, false, "down"},
	} {
		live, _ := c.r.alive()
		ready, why := c.r.isReady(c.cfg)
		if agent := c.r.agent(c.cfg); live != c.live || ready != c.ready || agent != c.agent || why == "" {
			t.Errorf("%s: live %v, ready %v (%s), agent %q, want %v, %v, %q", name, live, ready, why, agent, c.live, c.ready, c.agent)
		}
	}
}

// A loop that doesn't answer is asked once, however many ask, and each of them knows after a
// second.
func TestPulseOfABlockedLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &fakeMaster{hold: make(chan struct{})}
		p := pulse{ask: m.Serving}
		for range 1000 {
			go func() {
				if r := p.get(); r.answered {
					t.Error("there is an answer")
				}
			}()
		}
		began := time.Now()
		p.get()
		if took := time.Since(began); took != time.Second || m.asked.Load() != 1 {
			t.Errorf("after %v, the loop was asked %d times, want 1s and 1", took, m.asked.Load())
		}
		synctest.Wait() // the others give up at the same time
		close(m.hold)
		synctest.Wait()
		time.Sleep(answerAge)
		if r := p.get(); !r.answered || m.asked.Load() != 2 {
			t.Errorf("%+v after %d questions, want an answer to the second", r, m.asked.Load())
		}
	})
}

// The loop is asked 50 times a second, however many ask.
func TestPulseRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &fakeMaster{ready: 1, slots: 1}
		p := pulse{ask: m.Serving}
		for began := time.Now(); time.Since(began) < time.Second; time.Sleep(time.Millisecond) {
			if !p.get().answered {
				t.Error("no answer")
			}
		}
		if n := m.asked.Load(); n != 50 {
			t.Errorf("the loop was asked %d times, want 50", n)
		}
	})
}

func request(s *Server, method, target, remote string, header ...string) *httptest.ResponseRecorder {
	r, w := httptest.NewRequest(method, target, nil), httptest.NewRecorder()
	r.RemoteAddr = remote
	if len(header) == 2 {
		r.Header.Set(header[0], header[1])
	}
	s.handler().ServeHTTP(w, r)
	return w
}

const here = "127.0.0.1:1000"

func TestHTTP(t *testing.T) {
	s := New(&fakeMaster{ready: 1, slots: 2, state: after(t, reload.ChangeStart, reload.EventPrepared, reload.EventEstablished)}, Config{})
	for _, c := range []struct {
		method, path, remote string
		status               int
		body                 string
	}{
		{"GET", "/livez", "192.0.2.1:7", 200, "ok"},
		{"HEAD", "/readyz", "192.0.2.1:7", 200, "1 of 2 workers ready"},
		{"GET", "/readyz", "192.0.2.1:7", 200, "1 of 2 workers ready"},
		{"POST", "/readyz", here, 405, ""},
		{"GET", "/drain", here, 405, ""},
		{"GET", "/", here, 404, ""},
		{"POST", "/drain", "192.0.2.1:7", 403, ""},
		{"GET", "/readyz", here, 200, "1 of 2 workers ready"},
		{"POST", "/drain?wait=-1s", here, 400, ""},
		{"POST", "/drain?wait=6m", here, 400, ""},
		{"POST", "/drain?wait=x", here, 400, ""},
		{"GET", "/readyz", here, 200, "1 of 2 workers ready"},
		{"POST", "/drain", "[::1]:7", 200, "ok"},
		{"GET", "/readyz", here, 503, "drained; 1 of 2 workers ready"},
		{"GET", "/livez", here, 200, "ok"},
		{"DELETE", "/drain", "192.0.2.1:7", 403, ""},
		{"DELETE", "/drain", "@", 200, "ok"}, // a unix socket
		{"GET", "/readyz", here, 200, "1 of 2 workers ready"},
	} {
		w := request(s, c.method, c.path, c.remote)
		if w.Code != c.status || c.body != "" && w.Body.String() != c.body+"\n" {
			t.Errorf("%s %s from %s: %d %q, want %d %q", c.method, c.path, c.remote, w.Code, w.Body, c.status, c.body)
		}
	}
}

// A page in a browser of this host, and clients of a proxy on it, can't drain.
func TestDrainIsOfThisHost(t *testing.T) {
	m := &fakeMaster{}
	s := New(m, Config{})
	for _, name := range []string{"Origin", "Sec-Fetch-Site", "X-Forwarded-For", "X-Real-Ip", "Forwarded", "Via"} {
		if w := request(s, "POST", "/drain", here, name, "x"); w.Code != 403 || m.drained() {
			t.Errorf("with %s: %d", name, w.Code)
		}
	}
}

// /drain?wait= answers when the time is over, and the host is drained from its start.
func TestDrainWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &fakeMaster{}
		s := New(m, Config{})
		began, done := time.Now(), make(chan int)
		go func() { done <- request(s, "POST", "/drain?wait=10s", here).Code }()
		synctest.Wait()
		if !m.drained() || m.by != "health "+here {
			t.Errorf("drained %v by %q while the request waits", m.drained(), m.by)
		}
		if status := <-done; status != 200 || time.Since(began) != 10*time.Second {
			t.Errorf("%d after %v, want 200 after 10s", status, time.Since(began))
		}
	})
}

// A master that doesn't answer, or refuses, is not drained, and /drain says so.
func TestDrainFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &fakeMaster{hold: make(chan struct{})}
		s, began := New(m, Config{}), time.Now()
		for range 3 {
			if w := request(s, "POST", "/drain", here); w.Code != 503 {
				t.Errorf("%d: %s", w.Code, w.Body)
			}
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("three requests took %v, want a second each", took)
		}
		close(m.hold)
		synctest.Wait()
		m.refuses = errors.New("stopping")
		if w := request(s, "POST", "/drain", here); w.Code != 503 || w.Body.String() != "stopping\n" {
			t.Errorf("%d: %s", w.Code, w.Body)
		}
	})
}

// start serves both addresses of a server on ports of their own, and returns them.
func start(t *testing.T, m *fakeMaster) (server *Server, web, agent string) {
	t.Helper()
	server = New(m, Config{})
	serve := func(on func(net.Listener)) string {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ln.Close() })
		go on(newBounded(ln))
		return ln.Addr().String()
	}
	return server, serve(server.serveHTTP), serve(server.serveAgent)
}

func agentLine(addr, send string) (string, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(c, send); err != nil {
		return "", err
	}
	line, err := io.ReadAll(c)
	return string(line), err
}

// The agent answers a client that sends something and one that doesn't.
func TestAgent(t *testing.T) {
	m := &fakeMaster{ready: 3, slots: 4}
	s, _, addr := start(t, m)
	for _, send := range []string{"", "hello\n", strings.Repeat("x", 3000)} {
		if line, err := agentLine(addr, send); line != "ready up 75%\n" || err != nil {
			t.Errorf("after %d bytes: %q, %v", len(send), line, err)
		}
	}
	if w := request(s, "POST", "/drain", here); w.Code != 200 { // also for the next who asks, however soon
		t.Errorf("/drain: %d", w.Code)
	}
	if line, err := agentLine(addr, ""); line != "drain\n" || err != nil {
		t.Errorf("drained: %q, %v", line, err)
	}
}

// What a client has sent before it is answered doesn't reset the connection.
func TestAgentReadsBeforeItCloses(t *testing.T) {
	m := &fakeMaster{ready: 1, slots: 1, hold: make(chan struct{})}
	_, _, addr := start(t, m)
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "hello\n"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(10 * time.Millisecond) // it has arrived
	close(m.hold)
	time.Sleep(50 * time.Millisecond) // so would a reset
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if line, err := io.ReadAll(c); string(line) != "ready up 100%\n" || err != nil {
		t.Errorf("%q, %v", line, err)
	}
}

// Clients that connect and send nothing keep nobody from an answer.
func TestSilentClients(t *testing.T) {
	_, web, agent := start(t, &fakeMaster{ready: 4, slots: 4})
	for _, addr := range []string{web, agent} {
		for range 3 * maxConns {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
		}
	}
	began := time.Now()
	if line, err := agentLine(agent, ""); line != "ready up 100%\n" || err != nil {
		t.Errorf("agent: %q, %v", line, err)
	}
	r, err := http.Get("http://" + web + "/livez")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if r.StatusCode != 200 || !r.Close || time.Since(began) > clientLimit {
		t.Errorf("%d, closes %v, after %v", r.StatusCode, r.Close, time.Since(began))
	}
}

// A client that sends its request slowly is cut off after two seconds.
func TestSlowClient(t *testing.T) {
	_, web, _ := start(t, &fakeMaster{})
	c, err := net.Dial("tcp", web)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET /livez HTTP/1.1\r\n"); err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.ReadAll(c); errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
		t.Errorf("it is served on: %v", err)
	}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// One connection more than there may be ends the oldest; one that ends makes room.
func TestBounded(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := newBounded(ln)
	defer b.Close()
	var clients, conns []net.Conn
	for range maxConns + 2 {
		client, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		c, err := b.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if len(conns) == maxConns {
			conns[5].Close() // makes room for this one, which is accepted already
		}
		clients, conns = append(clients, client), append(conns, c)
	}
	open := 0
	for i, c := range clients {
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		if _, err := c.Read(make([]byte, 1)); isTimeout(err) {
			open++
		} else if i != 0 && i != 5 {
			t.Errorf("connection %d has ended: %v", i, err)
		}
	}
	if open != maxConns || b.conns.Len() != maxConns {
		t.Errorf("%d connections are open, %d counted, want %d", open, b.conns.Len(), maxConns)
	}
}

func TestAddresses(t *testing.T) {
	for address, want := range map[string]string{
		":8081": "tcp :8081", "127.0.0.1:8081": "tcp 127.0.0.1:8081", "/run/app/health": "unix /run/app/health", "fd health": "fd health",
	} {
		if network, rest := split(address); fmt.Sprint(network, " ", rest) != want {
			t.Errorf("%q is %s %s, want %s", address, network, rest, want)
		}
	}
}

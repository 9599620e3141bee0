package rotapage

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/control"
	"github.com/rota-go/rota/internal/newest"
	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/status"
)

// fake is a source whose status is set by the test.
type fake struct {
	s       status.Status
	err     error
	asked   []string // which buttons were pressed, by whom
	left    chan struct{}
	changes chan struct{}
}

func (f *fake) status(context.Context) (status.Status, error) { return f.s, f.err }
func (f *fake) changed(context.Context) <-chan struct{}       { return f.changes }
func (f *fake) press(_ context.Context, button control.Do, who string) error {
	f.asked = append(f.asked, string(button)+" by "+who)
	return f.err
}
func (f *fake) leaving() <-chan struct{} { return f.left }
func (f *fake) handler(o Options) http.Handler {
	o.Title = "the service"
	return newHandler(o, f, 2)
}

// get makes a request, and returns the status and the body.
func get(h http.Handler, method, path string, header ...string) (int, string) {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec.Code, rec.Body.String()
}

var now = time.Unix(1e9, 0)

// midway is a reload that has replaced one of four slots.
func midway() status.Status {
	worker := func(id, slot, generation int, ready bool, drains bool) status.Worker {
		w := status.Worker{ID: id, Slot: slot, Generation: generation, PID: 1000 + id, State: status.Listening, Started: now.Add(-90 * time.Second), Counters: status.Counters{Open: int64(10 * id)}}
		if ready {
			w.Ready = now
		}
		if drains {
			w.Draining, w.State = now, status.Draining
		}
		return w
	}
	return status.Status{
		Time: now, PID: 999, Phase: "rolling out", Generation: 1, Next: 2, Want: 5,
		Workers: []status.Worker{
			worker(1, 0, 1, true, true), worker(5, 0, 2, true, false), worker(2, 1, 1, true, false), worker(6, 1, 2, true, false),
			worker(3, 2, 1, true, false), worker(7, 2, 2, false, false), worker(4, 3, 1, true, false),
		},
		Backoffs: []status.Backoff{{Slot: 4, Generation: 1, Crashes: 7, Until: now.Add(20 * time.Second)}},
		Releases: []status.Release{{Generation: 1, Path: "/srv/app", Revision: "0123456789abcdef"}},
		Sockets:  []status.Socket{{Network: "tcp", Address: "[::]:80", Workers: 7, Queue: 3, Limit: 4096}},
		History: []status.Change{
			{Kind: status.Scale, Workers: 4, By: "signal TTIN"},
			{Kind: status.Crash, Worker: 9, Slot: 2, Err: "exit status 2", Stderr: "<script>alert(1)</script>", Took: time.Hour},
		},
	}
}

// The page shows each slot's step of a reload, and what a worker has written as text.
func TestPage(t *testing.T) {
	f := &fake{s: midway()}
	code, body := get(f.handler(Options{}), http.MethodGet, "/rota/")
	for _, want := range []string{
		"<title>the service</title>", "1 of 5 slots replaced", "Slot 0 <small>replaced", "Slot 1 <small>on trial", "Slot 2 <small>starting", "Slot 3 <small>waits", "Slot 4", "after 7 crashes", "starts in 20.0s",
		"<b>draining</b> <span>worker 1</span>", "<b>starting</b> <span>worker 7</span>", "70 open", "1m 30s old", "0123456789ab", "tcp [::]:80", "3 of 4096",
		"crash of worker 9, slot 2", "exit status 2", "&lt;script&gt;alert(1)", "scale to 4 <small>by signal TTIN", "after</small>", "1h 0m",
	} {
		if !strings.Contains(strings.ReplaceAll(body, "after 1h 0m</small>", "after</small> 1h 0m"), want) {
			t.Errorf("%q is not in the page", want)
		}
	}
	if code != http.StatusOK || strings.Contains(body, "<script>alert") || strings.Contains(body, "<form") {
		t.Errorf("status %d, or a script of a worker, or a button:\n%s", code, body)
	}
	if crash, scale := strings.Index(body, "crash of"), strings.Index(body, "scale to"); crash > scale {
		t.Error("the newest change is not the first")
	}
}

func TestNoMaster(t *testing.T) {
	code, body := get(Handler(Options{}), http.MethodGet, "/")
	if code != http.StatusOK || !strings.Contains(body, "The master doesn't answer") {
		t.Errorf("%d\n%s", code, body)
	}
}

// The page says what is wrong with a worker, how many of its requests have failed, and that a reload is paused; and it has the buttons
// that make sense then.
func TestFaultsAndPause(t *testing.T) {
	s := midway()
	s.Paused = now.Add(-65 * time.Second)
	s.Workers[1].Fault, s.Workers[1].Counters.Requests, s.Workers[1].Counters.Errors = "no <database>", 1000, 37
	s.Workers[2].Counters.Requests = 3000
	s.Total.Requests, s.Total.Errors = 4000, 37
	body := func(s status.Status, o Options) string {
		_, body := get((&fake{s: s}).handler(o), http.MethodGet, "/rota/")
		return body
	}
	for _, want := range []string{
		"no &lt;database&gt;</span>", "1000 requests</span> <span class=\"bad\">3.7 % failed", "3000 requests</span></p>", "<dd>4000</dd>",
		"rolling out, <span class=\"move\">paused", "paused for 1m 5s",
	} {
		if !strings.Contains(body(s, Options{}), want) {
			t.Errorf("%q is not in the page\n%s", want, body(s, Options{}))
		}
	}
	still := midway()
	still.Next, still.Phase = 0, "serving"
	for name, tc := range map[string]struct {
		s    status.Status
		want string
	}{"none": {still, "rollback reload"}, "under way": {midway(), "pause promote abort reload"}, "paused": {s, "resume promote abort reload"}} {
		var shown []string
		for line := range strings.Lines(body(tc.s, Options{Write: true})) {
			if id, ok := strings.CutPrefix(line, `<button id="`); ok && !strings.Contains(line, " hidden>") {
				shown = append(shown, id[:strings.Index(id, `"`)])
			}
		}
		if got := strings.Join(shown, " "); got != tc.want {
			t.Errorf("%s: the buttons %s, want %s", name, got, tc.want)
		}
	}
}

// Nobody reloads by a page that is read-only, by a page of another site, or by a link.
func TestWho(t *testing.T) {
	for _, tc := range []struct {
		name    string
		write   bool
		method  string
		header  []string
		want    int
		reloads int
	}{
		{"the button", true, http.MethodPost, []string{"Sec-Fetch-Site", "same-origin"}, http.StatusSeeOther, 1},
		{"a program", true, http.MethodPost, nil, http.StatusSeeOther, 1},
		{"read-only", false, http.MethodPost, nil, http.StatusForbidden, 0},
		{"another site", true, http.MethodPost, []string{"Sec-Fetch-Site", "cross-site"}, http.StatusForbidden, 0},
		{"another origin", true, http.MethodPost, []string{"Origin", "https://evil.example"}, http.StatusForbidden, 0},
		{"a sibling domain", true, http.MethodPost, []string{"Sec-Fetch-Site", "same-site"}, http.StatusForbidden, 0},
		{"a link", true, http.MethodGet, nil, http.StatusMethodNotAllowed, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := &fake{s: midway()}
			for _, button := range []string{"reload", "rollback", "pause", "resume", "promote", "abort"} {
				f.asked = nil
				code, body := get(f.handler(Options{Write: tc.write}), tc.method, "/rota/"+button, tc.header...)
				if code != tc.want || len(f.asked) != tc.reloads || tc.reloads > 0 && !strings.HasPrefix(f.asked[0], button+" by page ") {
					t.Errorf("%s: %d, pressed: %q, want %d and %d times\n%s", button, code, f.asked, tc.want, tc.reloads, body)
				}
			}
		})
	}
	f := &fake{err: errors.New("stopping")}
	if code, body := get(f.handler(Options{Write: true}), http.MethodPost, "/reload"); code != http.StatusServiceUnavailable || !strings.Contains(body, "stopping") {
		t.Errorf("a refusal is %d %s", code, body)
	}
}

// A page of another site whose name stands for this host presses nothing (DNS rebinding). To the browser it is of the same origin.
func TestRebinding(t *testing.T) {
	for _, tc := range []struct {
		host, to string
		want     int
	}{
		{"evil.example:9101", "127.0.0.1:9101", http.StatusForbidden}, {"evil.example:9101", "[::1]:9101", http.StatusForbidden}, {"", "127.0.0.1:9101", http.StatusForbidden},
		{"127.0.0.1.evil.example", "127.0.0.1:80", http.StatusForbidden}, {"evillocalhost", "[::ffff:127.0.0.1]:80", http.StatusForbidden},
		{"localhost:9101", "127.0.0.1:9101", http.StatusSeeOther}, {"LOCALHOST.", "[::1]:80", http.StatusSeeOther}, {"shop.localhost:9101", "127.0.0.1:9101", http.StatusSeeOther},
		{"127.0.0.1:9101", "127.0.0.1:9101", http.StatusSeeOther}, {"[::1]:9101", "[::1]:9101", http.StatusSeeOther}, {"[::1]", "[::1]:80", http.StatusSeeOther},
		{"admin.example.com", "192.0.2.1:443", http.StatusSeeOther}, {"admin.example.com", "/run/page.sock", http.StatusSeeOther}, {"admin.example.com", "", http.StatusSeeOther},
	} {
		f := &fake{s: midway()}
		r := httptest.NewRequest(http.MethodPost, "/rota/reload", nil)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		if r.Host = tc.host; tc.to != "" {
			r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, addr(tc.to)))
		}
		rec := httptest.NewRecorder()
		if f.handler(Options{Write: true}).ServeHTTP(rec, r); rec.Code != tc.want || len(f.asked) > 0 != (tc.want == http.StatusSeeOther) {
			t.Errorf("%q at %q: %d, pressed: %q, want %d", tc.host, tc.to, rec.Code, f.asked, tc.want)
		}
	}
}

// addr is the address of a connection.
type addr string

func (a addr) Network() string { return "test" }
func (a addr) String() string  { return string(a) }

func TestRoutes(t *testing.T) {
	h := (&fake{s: midway()}).handler(Options{})
	for _, tc := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/a/page.css", 200}, {"GET", "/a/page.js", 200}, {"HEAD", "/a/", 200}, {"GET", "/a/page.html", 404}, {"GET", "/a/other", 404},
		{"POST", "/a/", 405}, {"DELETE", "/a/events", 405}, {"HEAD", "/a/events", 200},
	} {
		if code, _ := get(h, tc.method, tc.path); code != tc.want {
			t.Errorf("%s %s: %d, want %d", tc.method, tc.path, code, tc.want)
		}
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
	if csp := rec.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") {
		t.Errorf("the page may load, or be framed: %s", csp)
	}
}

// The events have the moving part, come with each change, and end when the worker drains. Readers are bounded.
func TestEvents(t *testing.T) {
	f := &fake{s: midway(), left: make(chan struct{}), changes: make(chan struct{})}
	srv := httptest.NewServer(f.handler(Options{}))
	defer srv.Close()
	open := func() *http.Response {
		t.Helper()
		resp, err := http.Get(srv.URL + "/events")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}
	first, second := open(), open()
	if third := open(); third.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("one reader too many gets %s", third.Status)
	}
	for _, resp := range []*http.Response{first, second} {
		lines := bufio.NewReader(resp.Body)
		event(t, lines, "1 of 5 slots replaced")
		f.changes <- struct{}{}
		event(t, lines, "Slot 3")
	}
	close(f.left)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, resp := range []*http.Response{first, second} {
			for b := make([]byte, 4096); ; {
				if _, err := resp.Body.Read(b); err != nil {
					break
				}
			}
		}
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Error("the events go on though the worker drains")
	}
}

// event reads one event, which must have a text.
func event(t *testing.T, r *bufio.Reader, want string) {
	t.Helper()
	all := ""
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line == "\n" {
			break
		}
		all += line
	}
	if !strings.Contains(all, want) {
		t.Errorf("%q is not in %s", want, all)
	}
	for line := range strings.Lines(all) {
		if !strings.HasPrefix(line, "data: ") && !strings.HasPrefix(line, "retry: ") {
			t.Errorf("a line of an event is %q", line)
		}
	}
}

// A page of a master that was replaced asks the new one, which has the listener by then; one of a worker ends with the worker.
func TestEventsOfAReplacedMaster(t *testing.T) {
	for of, m := range map[string]*master.Master{"a master": new(master.Master), "a worker": nil} {
		f := &fake{s: midway(), changes: make(chan struct{})}
		f.s.Phase = "stopping"
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		if m == nil {
			ctx, cancel = context.WithTimeout(t.Context(), 10*time.Millisecond)
		}
		rec := httptest.NewRecorder()
		f.handler(Options{Master: m}).ServeHTTP(rec, httptest.NewRequestWithContext(ctx, http.MethodGet, "/events", nil))
		if ended := ctx.Err() == nil; ended != (m != nil) || !strings.Contains(rec.Body.String(), "stopping") {
			t.Errorf("%s: ended by itself: %v\n%s", of, ended, rec.Body)
		}
		cancel()
	}
}

// However many read the page of a master, that asks its workers as often as for a few.
func TestReadersShare(t *testing.T) {
	var asked atomic.Int64
	o := newOfMaster(nil, func(context.Context) status.Status { asked.Add(1); return status.Status{PID: 1} })
	begin := time.Now()
	var all sync.WaitGroup
	for range 500 {
		all.Go(func() {
			if s, err := o.status(t.Context()); err != nil || s.PID != 1 {
				t.Errorf("%+v, %v", s, err)
			}
		})
	}
	all.Wait()
	if n, most := asked.Load(), int64(time.Since(begin)/newest.Pause)+2; n > most {
		t.Errorf("the workers were asked %d times, want %d at most", n, most)
	}
	if _, err := newOfMaster(nil, func(context.Context) (s status.Status) { return s }).status(t.Context()); !errors.Is(err, master.ErrClosed) {
		t.Errorf("of a master that is closed: %v", err)
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 1234567: "1ms", 1500 * time.Millisecond: "1.5s", 61 * time.Second: "1m 1s", 3*time.Hour + time.Minute: "3h 1m", 49 * time.Hour: "2d 1h",
	} {
		if got := short(d); got != want {
			t.Errorf("%v is %s, want %s", d, got, want)
		}
	}
}

// chromium returns the path of a browser.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no chromium: it is Debian's package of that name")
	return ""
}

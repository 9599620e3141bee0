//go:build linux

package rotapage

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/worker"
)

func TestMain(m *testing.M) {
	os.Exit(e2etest.Main(m, rota.Setup, map[string]func(){"page": servePage, "page-in-master": pageInMaster}))
}

// servePage serves a page with a button from every worker. Its workers are slow to start when the environment says so.
func servePage() {
	if rota.IsWorker() {
		d, _ := time.ParseDuration(os.Getenv(e2etest.FlagsEnv))
		time.Sleep(d)
	}
	http.Handle("/rota/", Handler(Options{Write: true, Title: "shop"}))
	http.HandleFunc("/ill", func(http.ResponseWriter, *http.Request) { worker.Self().Report(errors.New("no <database>")) })
	ln, err := rota.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		err = http.Serve(ln, nil)
	}
	fmt.Fprintln(os.Stderr, err)
}

// pageInMaster serves one from the master.
func pageInMaster() {
	rota.OnMaster(func(m *master.Master) {
		h := Handler(Options{Master: m, Write: true})
		go func() {
			ln, err := m.Listen(context.Background(), "tcp", os.Getenv(e2etest.FlagsEnv))
			if err == nil {
				err = http.Serve(ln, h)
			}
			fmt.Fprintln(os.Stderr, err)
		}()
	})
	servePage()
}

func config() master.Config {
	return master.Config{Workers: 4, Grace: 5 * time.Second, IdleGrace: 200 * time.Millisecond, MinUptime: 200 * time.Millisecond, KillAfter: time.Second}
}

// browser is a Chromium, and one page in it. It is told what to do over a pipe.
type browser struct {
	t       *testing.T
	to      *os.File
	from    *bufio.Reader
	last    int
	session string
}

// open opens a page in a browser.
func open(t *testing.T, url string) *browser {
	t.Helper()
	path := chromium(t)
	toRead, to, err := os.Pipe()
	e2etest.NoError(t, err)
	from, fromWrite, err := os.Pipe()
	e2etest.NoError(t, err)
	cmd := exec.Command(path, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
		"--no-first-run", "--remote-debugging-pipe", "--user-data-dir="+t.TempDir(), "about:blank")
	cmd.ExtraFiles = []*os.File{toRead, fromWrite}
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	e2etest.NoError(t, cmd.Start())
	_, _ = toRead.Close(), fromWrite.Close()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		_, _ = to.Close(), from.Close()
	})
	_ = from.SetReadDeadline(time.Now().Add(time.Minute)) // of the whole test
	b := &browser{t: t, to: to, from: bufio.NewReader(from)}
	var target struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": url}, &target)
	var attached struct{ SessionID string }
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	b.call("Page.enable", nil, nil)
	return b
}

// call makes the browser do something, and decodes what it answers.
func (b *browser) call(method string, params, result any) {
	b.t.Helper()
	b.last++
	request := map[string]any{"id": b.last, "method": method}
	if params != nil {
		request["params"] = params
	}
	if b.session != "" {
		request["sessionId"] = b.session
	}
	text, err := json.Marshal(request)
	e2etest.NoError(b.t, err)
	_, err = b.to.Write(append(text, 0))
	e2etest.NoError(b.t, err)
	for {
		line, err := b.from.ReadBytes(0)
		if err != nil {
			b.t.Fatalf("%s: %v", method, err)
		}
		var answer struct {
			ID     int
			Result json.RawMessage
			Error  json.RawMessage
		}
		e2etest.NoError(b.t, json.Unmarshal(line[:len(line)-1], &answer))
		if answer.ID != b.last {
			continue // an event
		}
		if answer.Error != nil {
			b.t.Fatalf("%s: %s", method, answer.Error)
		}
		if result != nil {
			e2etest.NoError(b.t, json.Unmarshal(answer.Result, result))
		}
		return
	}
}

// eval returns the value of an expression in the page, as a text.
func (b *browser) eval(js string) string {
	b.t.Helper()
	var r struct {
		Result           struct{ Value any }
		ExceptionDetails json.RawMessage
	}
	b.call("Runtime.evaluate", map[string]any{"expression": js, "returnByValue": true}, &r)
	if r.ExceptionDetails != nil {
		return "" // the page is being loaded
	}
	return fmt.Sprint(r.Result.Value)
}

func (b *browser) text() string { return b.eval("document.body.innerText") }

func (b *browser) waitFor(what string, ok func() bool) {
	b.t.Helper()
	e2etest.WaitFor(b.t, what, ok, b.text)
}

// screen sets the size of the screen, and whether it is dark.
func (b *browser) screen(width, height int, scheme string) {
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}, nil)
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

var screenshots = flag.Bool("screenshots", false, "write the screenshots of the documentation")

// screenshot keeps what the screen shows, if the command line says so. The path of the test binary is left out.
func (b *browser) screenshot(path string) {
	b.eval("document.querySelector('.wide')?.remove()")
	var shot struct{ Data string }
	b.call("Page.captureScreenshot", map[string]any{"format": "png"}, &shot)
	png, err := base64.StdEncoding.DecodeString(shot.Data)
	e2etest.NoError(b.t, err)
	if len(png) < 1000 || !strings.HasPrefix(string(png[1:4]), "PNG") {
		b.t.Errorf("a screenshot of %d bytes", len(png))
	}
	if *screenshots {
		e2etest.NoError(b.t, os.WriteFile(path, png, 0o644))
	}
}

// Somebody presses the buttons: the page shows the reload in each slot as it goes, though every worker that
// serves it is replaced, and then the new generation and the history.
func TestReloadInBrowser(t *testing.T) {
	cfg := config()
	cfg.Control = t.TempDir() + "/rota.sock"
	p := e2etest.Start(t, "page", cfg, e2etest.FlagsEnv+"=300ms")
	b := open(t, "http://"+p.Addr()+"/rota/")
	b.screen(1000, 900, "light")
	b.waitFor("the live page", func() bool {
		return b.eval("link.textContent") == "live" && strings.Count(b.text(), "serving") >= 4
	})
	b.eval("document.getElementById('reload').click()")
	seen := map[string]bool{}
	b.waitFor("generation 2", func() bool {
		text := b.text()
		for _, step := range []string{"waits", "starting", "on trial", "replaced", "of 4 slots"} {
			seen[step] = seen[step] || strings.Contains(text, step)
		}
		if strings.Contains(text, "2 of 4 slots") && !seen["shot"] {
			seen["shot"] = true
			b.screenshot("../docs/page.png")
		}
		return b.eval("document.getElementById('generation')?.textContent") == "2" && b.eval("document.getElementById('phase')?.textContent") == "serving"
	})
	for _, step := range []string{"waits", "starting", "on trial", "replaced", "of 4 slots"} {
		if !seen[step] {
			t.Errorf("the page has never shown %q", step)
		}
	}
	b.waitFor("the history", func() bool { return strings.Contains(b.text(), "reload to generation 2") })
	p.Signal(syscall.SIGHUP)
	b.waitFor("generation 3, without loading the page again", func() bool { return b.eval("document.getElementById('generation')?.textContent") == "3" })
	b.eval("document.getElementById('rollback').click()")
	b.waitFor("the roll-back", func() bool {
		return b.eval("document.getElementById('generation')?.textContent") == "4" && strings.Contains(b.text(), "rollback to generation 4")
	})
}

// Somebody pauses a reload with a canary, resumes and promotes it, and aborts the next one; and the page says what a worker
// reports.
func TestPauseInBrowser(t *testing.T) {
	cfg := config()
	cfg.Control, cfg.Canary, cfg.CanaryTime = t.TempDir()+"/rota.sock", 1, time.Hour
	p := e2etest.Start(t, "page", cfg)
	b := open(t, "http://"+p.Addr()+"/rota/")
	b.screen(1000, 900, "light")
	buttons := func() string {
		return b.eval("[...document.querySelectorAll('button')].filter((b) => b.offsetParent).map((b) => b.id).join(' ')")
	}
	shows := func(want, shown string, texts ...string) {
		t.Helper()
		b.waitFor(want, func() bool {
			text := b.text()
			return b.eval("link.textContent") == "live" && buttons() == shown && !slices.ContainsFunc(texts, func(s string) bool { return !strings.Contains(text, s) })
		})
	}
	press := func(id string) { t.Helper(); b.eval("document.getElementById('" + id + "').click()") }
	shows("no reload", "rollback reload", "serving")
	press("reload")
	shows("a reload with a canary", "pause promote abort reload", "on trial", "rolling out", "waits")
	press("pause")
	shows("a pause", "resume promote abort reload", "rolling out, paused", "paused for")
	press("resume")
	shows("no pause", "pause promote abort reload", "on trial")
	press("promote")
	shows("the end of the reload", "rollback reload", "reload to generation 2", "done")
	press("reload")
	shows("the next reload", "pause promote abort reload", "on trial")
	press("abort")
	shows("the roll-back", "rollback reload", "aborted", "serving")
	if generation := b.eval("document.getElementById('generation').textContent"); generation != "2" {
		t.Errorf("generation %s after the abort", generation)
	}
	resp, err := http.Get("http://" + p.Addr() + "/ill")
	e2etest.NoError(t, err)
	_ = resp.Body.Close()
	shows("what a worker reports", "rollback reload", "no <database>")
	contrast(t, b, "light")
}

// On a phone nothing is wider than the screen; the colours are the screen's.
func TestPhone(t *testing.T) {
	p := e2etest.Start(t, "page", config())
	b := open(t, "http://"+p.Addr()+"/rota/")
	colours := map[string]bool{}
	for _, scheme := range []string{"light", "dark"} {
		b.screen(360, 740, scheme)
		b.waitFor("the slots, with their style", func() bool {
			return strings.Count(b.text(), "serving") >= 4 && b.eval("link.textContent") == "live" && b.eval("getComputedStyle(document.querySelector('.slots')).display") == "grid"
		})
		if width := b.eval("document.documentElement.scrollWidth"); width != "360" {
			t.Errorf("the page is %s pixels wide on a screen of 360", width)
		}
		colours[b.eval("getComputedStyle(document.body).backgroundColor")] = true
		contrast(t, b, scheme)
		if scheme == "dark" {
			b.screenshot("../docs/page-phone.png")
		}
	}
	if len(colours) != 2 {
		t.Errorf("the background is the same in light and dark: %v", colours)
	}
}

// contrast fails for each text that is hard to read on its background (WCAG: 4.5 to 1).
func contrast(t *testing.T, b *browser, scheme string) {
	t.Helper()
	got := b.eval(`(() => {
		const lum = (c) => { const [r, g, b] = c.match(/[\d.]+/g).map((x) => { x /= 255; return x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
		const back = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (!c.startsWith("rgba(")) return c; } return "rgb(255,255,255)"; };
		const bad = [];
		for (const e of document.querySelectorAll("h1,h2,small,dt,dd,b,span,td,th,button")) {
			if (!e.textContent.trim()) continue;
			const [x, y] = [lum(getComputedStyle(e).color), lum(back(e))].sort((a, b) => b - a);
			if ((x + 0.05) / (y + 0.05) < 4.5) bad.push(e.tagName + " " + e.textContent.slice(0, 20));
		}
		return bad.join("; ") || "none";
	})()`)
	if got != "none" {
		t.Errorf("%s: hard to read: %s", scheme, got)
	}
}

// The master of OnMaster serves the page, too, and reloads when the button says so.
func TestPageInMaster(t *testing.T) {
	addr := e2etest.FreeAddress(t)
	p := e2etest.Start(t, "page-in-master", config(), e2etest.FlagsEnv+"="+addr)
	press := func(button string, want int) {
		t.Helper()
		client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		resp, err := client.Post("http://"+addr+"/"+button, "", http.NoBody)
		e2etest.NoError(t, err)
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", button, resp.StatusCode, want)
		}
	}
	press("rollback", http.StatusServiceUnavailable) // there is nothing to go back to
	press("reload", http.StatusSeeOther)
	p.WaitLog(e2etest.ReloadDone, 1)
	press("rollback", http.StatusSeeOther)
	p.WaitLog(e2etest.ReloadDone, 2)
	p.Upgrade()
	e2etest.WaitFor(t, "the reload in the history of the new master", func() bool {
		resp, err := http.Get("http://" + addr + "/")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		body := new(strings.Builder)
		_, _ = bufio.NewReader(resp.Body).WriteTo(body)
		return strings.Contains(body.String(), "reload to generation 2") && strings.Contains(body.String(), "rollback to generation 3") && strings.Contains(body.String(), "by page 127.0.0.1:")
	})
}

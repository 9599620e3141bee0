package listentest

import (
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"
)

// runMain runs f and its subtests, writes the results to w as go test -v does, and
// returns the exit status: 0 if all passed, 1 otherwise. The suite's own tests use it
// to look at cases that must fail.
func runMain(w io.Writer, f func(tb)) int {
	s := &score{w: w}
	root := &textT{score: s}
	root.do(f)
	return s.end(root.failed)
}

// score collects the results of one runMain.
type score struct {
	mu                      sync.Mutex
	w                       io.Writer
	passed, failed, skipped int
}

func (s *score) end(failed bool) int {
	verdict, status := "PASS", 0
	if failed {
		verdict, status = "FAIL", 1
	}
	fmt.Fprintf(s.w, "%s: %d passed, %d failed, %d skipped\n", verdict, s.passed, s.failed, s.skipped)
	return status
}

func (s *score) add(verdict string, t *textT) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch verdict {
	case "PASS":
		s.passed++
	case "FAIL":
		s.failed++
	case "SKIP":
		s.skipped++
	}
	fmt.Fprintf(s.w, "--- %s: %s (%.2fs)\n", verdict, t.name, time.Since(t.start).Seconds())
	if verdict != "PASS" {
		io.WriteString(s.w, strings.Join(t.log, ""))
	}
}

// textT is a tb that writes text.
type textT struct {
	score *score
	name  string
	start time.Time

	mu              sync.Mutex
	failed, skipped bool
	parent          bool // has subtests
	log             []string
	cleanups        []func()
	helpers         []string // functions whose lines are not shown
}

var _ tb = (*textT)(nil)

func (t *textT) Name() string { return t.name }

func (t *textT) Run(name string, f func(tb)) bool {
	sub := &textT{score: t.score, name: strings.TrimPrefix(t.name+"/"+name, "/")}
	sub.do(f)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.parent = true
	t.failed = t.failed || sub.failed
	return !sub.failed
}

func (t *textT) do(f func(tb)) {
	t.start = time.Now()
	t.isolate(func() { f(t) })
	for c := t.lastCleanup(); c != nil; c = t.lastCleanup() {
		t.isolate(c)
	}
	t.report()
}

// report leaves out groups, because their cases have been reported already.
func (t *textT) report() {
	switch {
	case t.failed && (!t.parent || len(t.log) > 0):
		t.score.add("FAIL", t)
	case t.failed || t.parent:
	case t.skipped:
		t.score.add("SKIP", t)
	default:
		t.score.add("PASS", t)
	}
}

// isolate runs f on a new goroutine, which Fatalf, Skipf and a panic may end, and waits
// for it.
func (t *textT) isolate(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if v := recover(); v != nil {
				t.Errorf("panic: %v\n%s", v, debug.Stack())
			}
		}()
		f()
	}()
	<-done
}

func (t *textT) Cleanup(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cleanups = append(t.cleanups, f)
}

func (t *textT) lastCleanup() (f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.cleanups); n > 0 {
		f, t.cleanups = t.cleanups[n-1], t.cleanups[:n-1]
	}
	return f
}

func (t *textT) Logf(format string, args ...any) { t.record(nil, format, args...) }

func (t *textT) Errorf(format string, args ...any) { t.record(&t.failed, format, args...) }

func (t *textT) Fatalf(format string, args ...any) {
	t.record(&t.failed, format, args...)
	runtime.Goexit()
}

func (t *textT) Skipf(format string, args ...any) {
	t.record(&t.skipped, format, args...)
	runtime.Goexit()
}

func (t *textT) Helper() {
	pc, _, _, _ := runtime.Caller(1)
	t.mu.Lock()
	defer t.mu.Unlock()
	if name := runtime.FuncForPC(pc).Name(); !slices.Contains(t.helpers, name) {
		t.helpers = append(t.helpers, name)
	}
}

// record adds a line to the log and sets flag.
func (t *textT) record(flag *bool, format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "\n        ")
	t.log = append(t.log, fmt.Sprintf("    %s: %s\n", t.caller(), text))
	if flag != nil {
		*flag = true
	}
}

// caller returns the file and line of the call, without record, its caller and helpers.
func (t *textT) caller() string {
	pcs := make([]uintptr, 16)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(4, pcs)])
	for {
		f, more := frames.Next()
		if !more || !slices.Contains(t.helpers, f.Function) {
			return fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line)
		}
	}
}

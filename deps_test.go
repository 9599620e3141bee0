package rota_test

import (
	"fmt"
	"go/ast"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The house rules check the files of the repository without building them, so they need
// no network and cover the files of every platform. This file has the imports and the
// list of rules; each other rule has a file, and a case in house_broken_test.go that
// shows that the rule finds what it forbids.

const module = "github.com/rota-go/rota"

// graph is what each package may import within the module; "." is the root. Every
// package has a line. Its tests may import the same, the package itself, and what the
// line "tests" lists. Examples may also import what the line "example_test.go" lists, as
// they show programs. docs/architecture.md shows this text under "The import graph".
const graph = `
	.                   : master reload internal/bind internal/descriptor internal/hangup internal/lifeline internal/link internal/logline internal/process internal/settings internal/sigaction internal/terminal internal/workerproc internal/logqueue status
	health              : master reload status
	rotahttp            : . internal/ratelimit internal/workerproc
	master              : reload ipc internal/bind internal/child internal/delivery internal/link internal/descriptor internal/mailbox internal/message internal/neterr internal/process internal/sdnotify internal/settings internal/sockets internal/successor internal/tickets internal/userfunc internal/window internal/wire internal/logline internal/logqueue internal/lease internal/history internal/newest internal/view status internal/controlserver internal/sharedfile internal/fdstore internal/recovery internal/balance internal/judge internal/served internal/readiness
	worker              : ipc internal/workerproc internal/handover status
	internal/workerproc : ipc internal/bind internal/conn internal/descriptor internal/grace internal/handover internal/link internal/message internal/neterr internal/process internal/ratelimit internal/replyaddr internal/sharedsocket internal/window internal/wire internal/inbox internal/packetconn internal/statepipe internal/hooks internal/calls internal/usage internal/resting internal/turn internal/quiet internal/moment
	ipc                 : internal/descriptor internal/link internal/wire
	reload              :
	status              :
	internal/control    : status
	internal/controlserver : reload status internal/control internal/directory internal/mailbox internal/newest
	internal/controlclient : internal/control
	internal/history    : reload status internal/logline
internal/judge      : reload status
	internal/view       : reload status internal/history internal/newest internal/wire
	internal/served     : reload
	internal/readiness  : reload
	internal/newest     :
	internal/calls      : internal/link
	internal/sharedfile : internal/descriptor internal/neterr internal/wire
	listentest          :
	internal/bind       : internal/descriptor internal/thread
	internal/conn       : internal/handover internal/http1 internal/ratelimit
internal/handover   : internal/descriptor
	internal/neterr     : internal/wire
	internal/link       : internal/descriptor internal/hangup internal/wire
	internal/process    : internal/account internal/descriptor internal/link internal/mailbox internal/thread status
	internal/account    : internal/thread
	internal/sockets    : internal/bind internal/descriptor internal/mailbox status internal/fdstore internal/directory internal/socketfile internal/spread internal/match
	internal/descriptor :
	internal/fdstore    : internal/descriptor
	internal/recovery   : internal/bind internal/descriptor internal/fdstore internal/process internal/sockets internal/successor status internal/lease internal/sharedfile
	internal/spread     : internal/descriptor
	internal/socketfile : internal/bind internal/directory
	internal/match      : internal/bind internal/socketfile
	internal/balance    : internal/descriptor internal/wire reload status
	internal/directory  :
	internal/statepipe  : internal/descriptor
	internal/resting    : internal/descriptor internal/handover
	internal/sdnotify   : reload internal/logline internal/descriptor
	internal/logline    : reload internal/process internal/settings
	internal/lease      : internal/descriptor internal/neterr internal/wire
	internal/inbox      : ipc internal/link internal/message internal/window
	internal/successor  : reload internal/descriptor internal/link internal/process internal/wire status internal/sharedfile
	internal/message    : ipc internal/descriptor internal/link internal/wire
	internal/child      : reload internal/descriptor internal/handover internal/link internal/logline internal/process internal/wire ipc internal/message internal/statepipe status internal/judge
	internal/delivery   : internal/link internal/message internal/window internal/wire
	internal/logqueue   :
	internal/settings   : reload
	internal/hooks      :
	internal/grace      :
	internal/mailbox    :
	internal/usage      : internal/wire
internal/userfunc   :
	internal/tickets    :
internal/window     :
	internal/hangup     : internal/sigaction
internal/sigaction  :
internal/lifeline   :
internal/terminal   :
	internal/thread     :
	internal/turn       : internal/descriptor
	internal/quiet      :
	internal/moment     :
	internal/ratelimit  :
	internal/replyaddr  :
	internal/packetconn : internal/replyaddr internal/sharedsocket
	internal/sharedsocket : internal/descriptor
	internal/wire       :
	internal/http1      :
	internal/e2etest    :
	internal/e2etest/*  : . master worker internal/e2etest
	e2e                 : . master worker reload ipc rotahttp internal/e2etest/server status health
	e2e/*               : . master worker reload ipc rotahttp internal/e2etest/server status health
	examples/*          : . master worker reload ipc rotahttp health
	deploy              :
	examples/cluster/*  : . master worker ipc
	examples/migrate/*  : . master worker rotahttp
	tests               : listentest internal/e2etest
	example_test.go     : . master worker ipc rotahttp
`

// modules are the packages of other modules that may be imported, the packages that may
// import them, and the reason. "tests" stands for the tests of every package.
var modules = []struct{ path, by, reason string }{
	{"golang.org/x/sys/unix", "internal/account internal/bind internal/conn internal/controlserver internal/descriptor internal/directory internal/e2etest internal/fdstore internal/handover internal/link internal/process internal/replyaddr internal/resting internal/sdnotify internal/sharedfile internal/sharedsocket internal/sockets internal/spread internal/terminal internal/thread internal/turn internal/workerproc tests", "socketpair, SCM_RIGHTS, pidfd and socket options, which package syscall lacks or names by platform"},
	{"github.com/cloudflare/tableflip", "internal/successor", "the upgrade of the master itself"},
	{"github.com/coreos/go-systemd/v22/daemon", "internal/sdnotify", "sd_notify"},
	{"github.com/google/go-cmp/cmp", "tests", "readable differences"},
	{"go.uber.org/goleak", "tests", "goroutines that a test left running"},
	{"golang.org/x/net/ipv4", "tests", "batch reads on a packet conn of the library, as programs do them"},
	{"golang.org/x/net/ipv6", "tests", "the same for IPv6"},
	{"golang.org/x/net/nettest", "listentest tests", "the conformance of a net.Conn"},
	{"golang.org/x/net/http2", "rotahttp tests", "GOAWAY and h2c, which net/http does not offer"},
}

// forbidden are packages of the standard library that only the packages in but may
// import.
var forbidden = []struct{ path, but, reason string }{
	{"net/http", "rotahttp health listentest internal/e2etest internal/e2etest/* e2e e2e/* examples/* examples/cluster/* examples/migrate/* tests", "a server of another protocol shouldn't link it"},
	{"os/signal", ". internal/hangup e2e e2e/* examples/* examples/cluster/* tests", "one place decides what a signal means; a library that installs handlers takes them from the program"},
	{"os/exec", "internal/process internal/successor internal/e2etest internal/e2etest/* e2e e2e/* examples/* tests", "only a master starts processes"},
	{"testing", "listentest internal/e2etest internal/e2etest/* tests", "it registers flags in every program that links it"},
	{"unsafe", "", "golang.org/x/sys has what is needed"},
	{"C", "", "a static binary, and cross-compiling, are promises"},
	{"log", "examples/* examples/cluster/* examples/migrate/* internal/e2etest/* e2e e2e/* tests", "the master has its Logger, a worker writes one line to stderr"},
	{"log/slog", ". master health internal/logline internal/logqueue internal/sdnotify internal/userfunc e2e e2e/* examples/* tests", "only a master logs"},
	{"net/rpc", "", "the link has a protocol of its own"},
	{"encoding/gob", "", "bodies are JSON, which versions can extend"},
}

// stdOnly are packages that may import the given packages of the standard library and
// nothing else. Their tests are not restricted.
var stdOnly = []struct{ pkg, imports, reason string }{
	{"reload", "cmp errors fmt maps math math/bits slices strings time", "decisions are pure: no clock, no goroutine, no channel, no log, no system"},
	{"status", "context fmt os slices time", "values, which any program may have without the master"},
	{"internal/wire", "encoding/binary encoding/json errors fmt time", "bytes in, frames out: it can be fuzzed anywhere"},
	{"internal/control", "bytes encoding/json errors fmt github.com/rota-go/rota/status", "lines in, requests out: it can be fuzzed anywhere"},
	{"internal/http1", "bytes errors io math slices strconv strings sync sync/atomic time", "bytes in, bytes out: it opens nothing and waits for nothing"},
}

// impure are names of package time that read the clock or wait.
var impure = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTicker", "NewTimer"}

// problems returns what a rule finds wrong with a file.
type problems func(s source) []string

// fileRules are the rules that look at one file at a time.
var fileRules = map[string]problems{
	"imports": checkImports, "std only": checkStdOnly, "pure": checkPure, "format": checkFormat,
	"docs": checkDocs, "build": checkBuild, "ends": checkEnds,
}

// treeRules are the rules that look at all files together.
var treeRules = map[string]func(tree) []string{
	"package comments": func(h tree) []string { return uncommented(h.sources()) },
	"siblings":         func(h tree) []string { return lonely(h.sources()) },
	"graph":            checkGraph,
	"sizes":            func(h tree) []string { return checkSizes(h, larger) },
	"surface":          func(h tree) []string { return checkSurface(h, internalTypes) },
	"globals":          func(h tree) []string { return checkGlobals(h, globals) },
	"words":            func(h tree) []string { return checkWords(h, pending) },
	"walks":            func(h tree) []string { return checkWalks(h, wantWalks) },
}

// TestHouse applies every rule to the repository.
func TestHouse(t *testing.T) {
	h := load(t, ".")
	for name, rule := range fileRules {
		t.Run(name, func(t *testing.T) {
			for _, s := range h.sources() {
				for _, p := range rule(s) {
					t.Error(p)
				}
			}
		})
	}
	for name, rule := range treeRules {
		t.Run(name, func(t *testing.T) {
			for _, p := range rule(h) {
				t.Error(p)
			}
		})
	}
}

// among reports whether list, which is separated by spaces, has dir or a pattern that
// matches it.
func among(list, dir string) bool {
	return slices.ContainsFunc(strings.Fields(list), func(w string) bool {
		ok, _ := path.Match(w, dir)
		return ok
	})
}

// in reports whether list, one of those above, has the directory of s, or "tests" if s
// is a test.
func (s source) in(list string) bool {
	return among(list, s.dir()) || s.test() && among(list, "tests")
}

// edges returns the lines of graph.
func edges() map[string]string {
	m := map[string]string{}
	for line := range strings.Lines(graph) {
		if from, to, ok := strings.Cut(line, ":"); ok {
			m[strings.TrimSpace(from)] = strings.TrimSpace(to)
		}
	}
	return m
}

// allowedFor returns the packages of the module that dir may import.
func allowedFor(dir string) (list string, known bool) {
	for from, to := range edges() {
		if among(from, dir) {
			return to, true
		}
	}
	return "", false
}

func checkImports(s source) (bad []string) {
	allowed, known := allowedFor(s.dir())
	if !known {
		return []string{s.path + ": package " + s.dir() + " is not in the graph: say there what it may import"}
	}
	if s.test() {
		allowed += " " + s.dir() + " " + edges()["tests"]
	}
	if path.Base(s.path) == "example_test.go" {
		allowed += " " + edges()["example_test.go"]
	}
	for _, spec := range s.ast.Imports {
		p, _ := strconv.Unquote(spec.Path.Value)
		if why := refused(s, p, allowed); why != "" {
			bad = append(bad, fmt.Sprintf("%s: imports %s: %s", s.line(spec), p, why))
		}
	}
	return bad
}

// refused returns why s may not import p, or "" if it may.
func refused(s source, p, allowed string) string {
	if p == module || strings.HasPrefix(p, module+"/") {
		within := strings.TrimPrefix(strings.TrimPrefix(p, module), "/")
		if !among(allowed, path.Clean(within)) {
			return fmt.Sprintf("%s may import of this module: %s", s.dir(), allowed)
		}
		return ""
	}
	if first, _, _ := strings.Cut(p, "/"); strings.Contains(first, ".") {
		return refusedModule(s, p)
	}
	for _, f := range forbidden {
		if f.path == p && !s.in(f.but) {
			return f.reason
		}
	}
	return ""
}

func refusedModule(s source, p string) string {
	for _, m := range modules {
		if m.path == p {
			if s.in(m.by) {
				return ""
			}
			return "only for " + m.by + ": " + m.reason
		}
	}
	return "a new dependency needs a line in this test, and a reason in docs/decisions"
}

func checkStdOnly(s source) (bad []string) {
	for _, rule := range stdOnly {
		if s.dir() != rule.pkg || s.test() {
			continue
		}
		for _, spec := range s.ast.Imports {
			p, _ := strconv.Unquote(spec.Path.Value)
			if !slices.Contains(strings.Fields(rule.imports), p) {
				bad = append(bad, fmt.Sprintf("%s: imports %s: %s", s.line(spec), p, rule.reason))
			}
		}
	}
	return bad
}

// checkPure finds what makes a decision of package reload depend on time or on other
// goroutines, beyond what it imports.
func checkPure(s source) (bad []string) {
	if s.dir() != "reload" || s.test() {
		return nil
	}
	ast.Inspect(s.ast, func(n ast.Node) bool {
		if what := impurity(n); what != "" {
			bad = append(bad, fmt.Sprintf("%s: %s: the decisions of reload are pure", s.line(n), what))
		}
		return true
	})
	return bad
}

func impurity(n ast.Node) string {
	switch n := n.(type) {
	case *ast.GoStmt:
		return "a go statement"
	case *ast.ChanType:
		return "a channel"
	case *ast.SendStmt:
		return "a send"
	case *ast.SelectStmt:
		return "a select"
	case *ast.SelectorExpr:
		if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(impure, n.Sel.Name) {
			return "time." + n.Sel.Name
		}
	}
	return ""
}

// TestRequirements checks that modules lists every module that go.mod requires directly.
func TestRequirements(t *testing.T) {
	text, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	required := regexp.MustCompile(`(?m)^\s*(?:require )?(\S+\.\S+/\S+) v\S+$`).FindAllStringSubmatch(string(text), -1)
	if len(required) == 0 {
		t.Error("no requirement found in go.mod: adapt the pattern of this test")
	}
	for _, m := range required {
		if !slices.ContainsFunc(modules, func(x struct{ path, by, reason string }) bool {
			return x.path == m[1] || strings.HasPrefix(x.path, m[1]+"/")
		}) {
			t.Errorf("go.mod requires %s directly: add its packages to modules in deps_test.go, or remove it", m[1])
		}
	}
}

// checkGraph finds lines of graph without a package, and a drawing in the documentation
// that differs from it.
func checkGraph(h tree) (bad []string) {
	dirs := h.packages()
	for from := range edges() {
		exists := from == "tests" || from == "example_test.go"
		for dir := range dirs {
			exists = exists || among(from, dir)
		}
		if !exists {
			bad = append(bad, fmt.Sprintf("deps_test.go: graph has a line for %s, which has no Go files: delete the line", from))
		}
	}
	for _, x := range h.texts {
		if shown, ok := drawing(x.body); x.path == "docs/architecture.md" && ok && dedent(shown) != dedent(graph) {
			bad = append(bad, x.path+": the block under \"The import graph\" differs from graph in deps_test.go: copy that text")
		}
	}
	return bad
}

// drawn matches the graph in a page of the documentation.
var drawn = regexp.MustCompile("(?s)\n## The import graph\n[^#]*?```text\n(.*?)```")

func drawing(page string) (body string, ok bool) {
	if m := drawn.FindStringSubmatch(page); m != nil {
		return m[1], true
	}
	return "", strings.Contains(page, "\n## The import graph\n")
}

// dedent removes the space around each line and empty lines.
func dedent(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// TestGraphDrawn checks that the documentation shows the graph.
func TestGraphDrawn(t *testing.T) {
	page, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := drawing(string(page)); !ok {
		t.Skip("docs/architecture.md has no section \"The import graph\" yet: add it with graph in a ```text block")
	}
}

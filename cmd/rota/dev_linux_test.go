package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
)

// devProgram is a program that says its version.
const devProgram = `package main

import (
	_ "embed"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/rota-go/rota"
)

//go:embed greeting
var greeting string

func main() {
	ln, err := rota.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("serves VERSION")
	log.Fatal(http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "generation 0 worker 0 pid %d VERSION %s", os.Getpid(), greeting)
	})))
}
`

// devService is a program under "rota dev".
type devService struct {
	*e2etest.Process
	t         *testing.T
	dir, addr string
}

func startDev(t *testing.T, flags ...string) *devService {
	t.Helper()
	s := &devService{t: t, dir: t.TempDir(), addr: e2etest.FreeAddress(t)}
	root, err := filepath.Abs("../..")
	e2etest.NoError(t, err)
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	e2etest.NoError(t, err)
	text := strings.Replace(string(mod), "module github.com/rota-go/rota\n", "module app\n", 1) +
		"\nrequire github.com/rota-go/rota v0.0.0\nreplace github.com/rota-go/rota => " + root + "\n"
	s.write("go.mod", text)
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	e2etest.NoError(t, err)
	s.write("go.sum", string(sum))
	s.version("one", "hello")
	cmd := exec.Command(e2etest.Build(t, "."), append(append([]string{"dev"}, flags...), ".", s.addr)...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "ROTA_MIN_UPTIME=400ms")
	s.Process = e2etest.Begin(t, cmd)
	s.wrote("serves one", 1)
	return s
}

func (s *devService) write(name, text string) {
	s.t.Helper()
	e2etest.NoError(s.t, os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600))
}

// version edits the program.
func (s *devService) version(name, greeting string) {
	s.t.Helper()
	s.write("greeting", greeting)
	s.write("main.go", strings.ReplaceAll(devProgram, "VERSION", name))
}

// answers makes a request at once, whose answer must be of a version.
func (s *devService) answers(want string) {
	s.t.Helper()
	got, err := e2etest.Request("tcp", s.addr, "/")
	if err != nil || !strings.HasSuffix(got, " "+want) {
		s.t.Errorf("%q, %v, want %s", got, err, want)
	}
}

// becomes waits until a version answers. The worker of before may have accepted one connection more.
func (s *devService) becomes(want string) {
	s.t.Helper()
	e2etest.WaitFor(s.t, want, func() bool {
		got, err := e2etest.Request("tcp", s.addr, "/")
		return err == nil && strings.HasSuffix(got, " "+want)
	}, s.Log.String)
}

// A program is edited twice, and once so that it doesn't compile. Each version serves when it is built, what the
// compiler says is printed, and no request is refused. Those that come while it is built wait for the new version.
func TestDev(t *testing.T) { // not parallel: the requests that are held wait for 20 seconds
	s := startDev(t)
	s.answers("one hello")
	l := e2etest.StartLoad(s.addr, "/", 2)
	l.Goes(t, 20)

	s.version("two", "hello")
	s.held(1)
	s.answers("two hello")
	s.wrote("rota dev: reloaded", 1)

	s.write("main.go", strings.Replace(devProgram, "func main() {", "func main() { x := ", 1))
	s.wrote("rota dev: not built", 1)
	if !s.Log.HasLine("main.go:") {
		t.Error("the compiler's words are missing")
	}
	l.Goes(t, 20)
	s.becomes("two hello")

	s.version("three", "hi")
	s.wrote("rota dev: reloaded", 2)
	s.becomes("three hi")

	s.write("greeting", "bye") // embedded
	s.wrote("rota dev: reloaded", 3)
	s.becomes("three bye")
	s.write("other_test.go", "package main") // no part of it
	s.write("notes.txt", "x")
	s.version("three", "bye") // saved without a change
	s.wrote("rota dev: nothing has changed", 1)
	if n := s.Log.Count("rota dev: built"); n != 4 {
		t.Errorf("built %d times", n)
	}
	l.MustBeWhole(t)
	e2etest.NoError(t, s.Cmd.Process.Signal(syscall.SIGINT))
	if status := s.Wait(); status != done {
		t.Errorf("exit status %d", status)
	}
	s.LeavesNothing()
}

// wrote waits until text was written n times. The time that the go command takes is not counted: it
// may have to build the whole library, on a busy machine.
func (s *devService) wrote(text string, n int) {
	s.t.Helper()
	for begun := time.Now(); s.Log.Count(text) < n; time.Sleep(2 * time.Millisecond) {
		if s.builds() {
			begun = time.Now()
		}
		if time.Since(begun) > e2etest.Stuck {
			s.t.Fatalf("waited %v for %d lines with %q:\n%s", e2etest.Stuck, n, text, s.Log)
		}
	}
}

// builds reports whether a go command runs.
func (s *devService) builds() bool { return len(e2etest.ChildrenNamed(s.Cmd.Process.Pid, "go")) > 0 }

// held waits until n workers are stopped.
func (s *devService) held(n int) {
	s.t.Helper()
	e2etest.WaitFor(s.t, fmt.Sprint(n, " stopped workers"), func() bool {
		stopped := 0
		for _, master := range e2etest.ChildrenNamed(s.Cmd.Process.Pid, "program") {
			for _, w := range e2etest.WorkersOf(master) {
				if e2etest.Stopped(w) {
					stopped++
				}
			}
		}
		return stopped == n
	})
}

// A release that dies doesn't serve, and the one before does. A program that has ended is started at the next
// change. One without rota.Listen is started anew at each.
func TestDevFailures(t *testing.T) {
	t.Parallel()
	s := startDev(t, "-hold=false", "-quiet", "50ms", "-build", "-ldflags=-w")
	s.write("main.go", strings.Replace(devProgram, `rota.Listen("tcp", os.Args[1])`, `rota.Listen("tcp", "no address")`, 1))
	s.wrote("rota dev: the reload has failed", 1)
	s.answers("one hello")
	masters := e2etest.ChildrenNamed(s.Cmd.Process.Pid, "program")
	if len(masters) != 1 {
		t.Fatalf("masters %v", masters)
	}
	e2etest.Kill(t, masters[0])
	s.wrote("rota dev: the program has ended", 1)
	s.version("two", "hello")
	s.wrote("serves two", 1)
	s.becomes("two hello")
	plain := strings.Replace(strings.Replace(devProgram, "rota.Listen", "net.Listen", 1), `"github.com/rota-go/rota"`, `"net"`, 1)
	s.write("main.go", strings.ReplaceAll(plain, "VERSION", "three"))
	s.wrote("rota dev: the reload has failed", 2)
	s.answers("two hello")
	e2etest.NoError(t, s.Cmd.Process.Signal(syscall.SIGTERM))
	if status := s.Wait(); status != done {
		t.Errorf("exit status %d", status)
	}
}

// Where there is no program, and no file whose change could make one, it ends with what go build says.
func TestDevNothing(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, module := range []struct{ mod, says string }{
		{"", "go.mod file not found"},
		{"module app\n", "directory not found"},
	} {
		if module.mod != "" {
			e2etest.NoError(t, os.WriteFile("go.mod", []byte(module.mod), 0o600))
		}
		var out, errs strings.Builder
		if got := run([]string{"dev", "./nope"}, &out, &errs, os.Getenv); got != failed {
			t.Errorf("exit status %d", got)
		}
		contains(t, errs.String(), module.says, "rota: dev: ./nope: ")
	}
}

// A directory without a program is watched: go build's words are printed, and it is built when there is one, also
// after the directory was away.
func TestDevEmpty(t *testing.T) {
	t.Parallel()
	s := &devService{t: t, dir: t.TempDir()}
	s.write("go.mod", "module app\n")
	app := filepath.Join(s.dir, "app")
	e2etest.NoError(t, os.Mkdir(app, 0o700))
	cmd := exec.Command(e2etest.Build(t, "."), "dev", "-quiet", "10ms", "./app")
	cmd.Dir = s.dir
	s.Process = e2etest.Begin(t, cmd)
	s.wrote("no Go files in ", 1)
	s.write("app/main.go", "package main\nfunc main() { println(`serves one`) }\n")
	s.wrote("serves one", 1)
	e2etest.NoError(t, os.Rename(app, app+".away"))
	s.wrote("directory not found", 1)
	e2etest.NoError(t, os.Rename(app+".away", app))
	s.wrote("serves one", 2)
}

func TestDevUsage(t *testing.T) {
	begun := time.Now()
	for _, args := range [][]string{{"dev"}, {"dev", "-x", "."}, {"dev", "-quiet", "soon", "."}} {
		var out, errs strings.Builder
		if got := run(args, &out, &errs, os.Getenv); got != usage || errs.Len() == 0 {
			t.Errorf("%q: exit status %d, %q", args, got, errs.String())
		}
	}
	if time.Since(begun) > 10*time.Second {
		t.Error("it was built")
	}
}

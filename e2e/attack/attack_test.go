//go:build linux

package attack

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/master"
)

const nobody = 65534

// scene is a directory of the attacker's user beside one of root's.
type scene struct{ dir, root, file string }

func newScene(t *testing.T) scene {
	t.Helper()
	parent := e2etest.ShortDir(t)
	s := scene{dir: parent + "/own", root: parent + "/root", file: parent + "/root/s"}
	for _, err := range []error{
		os.Mkdir(s.dir, 0o755), os.Mkdir(s.dir+"/a", 0o755), os.Symlink(s.root, s.dir+"/b"),
		os.Chown(s.dir, nobody, nobody), os.Chown(s.dir+"/a", nobody, nobody), os.Lchown(s.dir+"/b", nobody, nobody),
		os.Mkdir(s.root, 0o755), os.WriteFile(s.file, []byte("secret"), 0o600),
	} {
		e2etest.NoError(t, err)
	}
	return s
}

// unharmed checks that root's file is as it was, and alone.
func (s scene) unharmed(t *testing.T) {
	t.Helper()
	content, err := os.ReadFile(s.file)
	info, serr := os.Lstat(s.file)
	if err != nil || serr != nil || string(content) != "secret" || info.Mode() != 0o600 {
		t.Errorf("root's file: %v, %v, %v", info, err, serr)
	}
	all, _ := filepath.Glob(s.root + "/*")
	more, _ := filepath.Glob("/*/rota-attack")
	if len(all) != 1 || len(more) > 0 {
		t.Errorf("files in root's directories: %v %v", all, more)
	}
}

// state is what an attack must not cost the master.
type state struct{ descriptors, kilobytes int }

func stateOf(p *e2etest.Process) state {
	return state{e2etest.Descriptors(p.PID()), e2etest.ResidentKB(p.PID())}
}

// What an attack may cost the master.
const (
	maxMore     = 64 << 10        // KB above idle, at any time
	recovery    = 5 * time.Second // after the attacker's end until the master is as before
	maxLog      = 64 << 10        // bytes
	maxNoise    = 8 << 10         // KB above idle that a master has after a while without an attack, too
	races       = 10_000          // sockets that an attack which is a race has bound and unlinked, in a long run
	swapAttack  = "swap directories"
	moveAttack  = "move a socket elsewhere"
	traceAttack = "end as another's tracee"
	swapNames   = 512 // sockets that this attack asks for in turn: each is unlinked a second after it was closed
)

// TestAttacks: while a worker of another user attacks, requests to the other worker lose
// nothing, and the master uses at most 64 MB more. Five seconds after the attack it is as
// before, and reloads. With ROTA_E2E_LONG each attack takes 30 s, alone, and one that is a
// race has 10,000 files bound and removed at least.
func TestAttacks(t *testing.T) {
	e2etest.NeedRoot(t, "it starts processes of another user")
	for _, name := range slices.Sorted(maps.Keys(attacks)) {
		t.Run(name, func(t *testing.T) {
			if !e2etest.Long() {
				t.Parallel()
			}
			s := newScene(t)
			p := startVictim(t, s)
			before := stateOf(p)
			worst := underAttack(t, p, s, name, before)
			begin := time.Now()
			after := recovered(p, before)
			t.Logf("%s: %d KB, %d descriptors at rest; at most %d KB, %d descriptors more; %v after the attack %d KB, %d descriptors more; %d files",
				name, before.kilobytes, before.descriptors, worst.kilobytes, worst.descriptors,
				time.Since(begin).Round(10*time.Millisecond), after.kilobytes, after.descriptors, s.tries())
			if after.descriptors > 0 || after.kilobytes > maxNoise {
				t.Errorf("not as before %v after the attack", recovery)
			}
			if name == "ask for what is root's" {
				e2etest.WaitFor(t, "the attacker's count: no socket", func() bool {
					return strings.Contains(p.Log.String(), "attack "+name+": sockets 0 ")
				})
			}
			p.Reload()
			s.unharmed(t)
			if n := len(p.Log.String()); n > maxLog {
				t.Errorf("the log has %d bytes", n)
			}
		})
	}
}

// startVictim starts a master of two workers of nobody, and waits until their list of sockets
// is sealed.
func startVictim(t *testing.T, s scene) *e2etest.Process {
	t.Helper()
	exe := filepath.Join(filepath.Dir(s.dir), "e2e.test")
	e2etest.CopyFile(t, e2etest.Self(t), exe)
	cfg := master.Config{
		Workers: 2, MinUptime: -1, User: "nobody", Exec: exe, RunMain: true,
		Sockets: []string{"tcp 127.0.0.2:0"},
	}
	for i := range swapNames {
		cfg.Sockets = append(cfg.Sockets, fmt.Sprint("unix ", s.dir, "/a/s", i))
	}
	p := e2etest.Start(t, "victim", cfg, e2etest.FlagsEnv+"="+s.dir)
	time.Sleep(1200 * time.Millisecond)
	return p
}

func (a state) minus(b state) state {
	return state{a.descriptors - b.descriptors, a.kilobytes - b.kilobytes}
}

// recovered waits until the master is as before, for as long as it may take, and returns what
// it has more.
func recovered(p *e2etest.Process, before state) state {
	for end := time.Now().Add(recovery); ; time.Sleep(10 * time.Millisecond) {
		more := stateOf(p).minus(before)
		if more.descriptors <= 0 && more.kilobytes <= maxNoise || time.Now().After(end) {
			return more
		}
	}
}

// underAttack runs one attack, under load. It returns the most that the master had more than
// before.
func underAttack(t *testing.T, p *e2etest.Process, s scene, name string, before state) (worst state) {
	t.Helper()
	workers := p.Children()
	e2etest.NoError(t, os.WriteFile(s.dir+"/attack", []byte(name), 0o644))
	e2etest.WaitFor(t, "the attacker", func() bool { return e2etest.Exists(s.dir + "/begun") })
	load := e2etest.StartLoad(p.Addr(), "/", 2)
	end := time.Now().Add(e2etest.Duration(30*time.Second, 300*time.Millisecond))
	for ; time.Now().Before(end) || name == swapAttack && s.tries() < e2etest.Times(races, 0); time.Sleep(20 * time.Millisecond) {
		more := stateOf(p).minus(before)
		worst = state{max(worst.descriptors, more.descriptors), max(worst.kilobytes, more.kilobytes)}
		if worst.kilobytes > maxMore || syscall.Kill(p.PID(), 0) != nil {
			t.Errorf("before the attack %+v, now %+v more", before, more)
			break
		}
	}
	e2etest.NoError(t, os.Remove(s.dir+"/attack"))
	if name != "shut down" && name != moveAttack {
		load.MustBeWhole(t)
		return worst
	}
	load.End() // connections that wait in the queue of a socket are lost with it
	if name == "shut down" && !slices.ContainsFunc(workers, e2etest.Alive) {
		t.Error("the other worker has died")
	}
	e2etest.WaitFor(t, "an answer at the same address", func() bool {
		_, err := e2etest.Request("tcp", p.Addr(), "/")
		return err == nil
	})
	return worst
}

// tries returns how many files the attacker has had bound, if it counts them.
func (s scene) tries() int {
	b, _ := os.ReadFile(s.dir + "/tries")
	n, _ := strconv.Atoi(string(b))
	return n
}

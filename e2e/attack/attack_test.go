//go:build linux

package attack

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
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

// TestAttacks: while a worker of another user attacks, requests to the other worker lose
// nothing, and the master uses at most 64 MB more. A while after the attack it is as
// before, and reloads. With ROTA_E2E_LONG each attack takes 30 s.
func TestAttacks(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may start workers of another user")
	}
	for _, name := range slices.Sorted(maps.Keys(attacks)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			exe := filepath.Join(filepath.Dir(s.dir), "e2e.test")
			e2etest.CopyFile(t, e2etest.Self(t), exe)
			cfg := master.Config{
				Workers: 2, MinUptime: -1, User: "nobody", Exec: exe, RunMain: true,
				Sockets: []string{"tcp 127.0.0.2:0", "unix " + s.dir + "/a/s"},
			}
			p := e2etest.Start(t, "victim", cfg, e2etest.FlagsEnv+"="+s.dir)
			time.Sleep(1200 * time.Millisecond) // until the list of sockets is sealed
			before := stateOf(p)
			underAttack(t, p, s, name)
			after := state{}
			e2etest.WaitFor(t, "the master to be as before", func() bool {
				after = stateOf(p)
				return after.descriptors <= before.descriptors && after.kilobytes <= before.kilobytes+32<<10
			}, func() string { return fmt.Sprintf("before %+v, after %+v", before, after) })
			p.Reload()
			s.unharmed(t)
			if name == "ask for what is root's" && !strings.Contains(p.Log.String(), "attack "+name+": sockets 0 ") {
				t.Errorf("the attacker got sockets:\n%.2000s", p.Log)
			}
		})
	}
}

// underAttack runs one attack, under load.
func underAttack(t *testing.T, p *e2etest.Process, s scene, name string) {
	t.Helper()
	workers := p.Children()
	e2etest.NoError(t, os.WriteFile(s.dir+"/attack", []byte(name), 0o644))
	e2etest.WaitFor(t, "the attacker", func() bool {
		now := p.Children()
		return len(now) == 2 && !slices.Equal(now, workers)
	})
	before := stateOf(p)
	load := e2etest.StartLoad(p.Addr(), "/", 2)
	for end := time.Now().Add(e2etest.Duration(30*time.Second, 300*time.Millisecond)); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		now := stateOf(p)
		if now.kilobytes > before.kilobytes+64<<10 || syscall.Kill(p.PID(), 0) != nil {
			t.Errorf("before the attack %+v, now %+v", before, now)
			break
		}
	}
	e2etest.NoError(t, os.Remove(s.dir+"/attack"))
	if name != "shut down" {
		load.MustBeWhole(t)
		return
	}
	load.End() // connections that wait in the queue of a socket are lost with it
	if !slices.ContainsFunc(workers, e2etest.Alive) {
		t.Error("the other worker has died")
	}
	e2etest.WaitFor(t, "an answer at the same address", func() bool {
		_, err := e2etest.Request("tcp", p.Addr(), "/")
		return err == nil
	})
}

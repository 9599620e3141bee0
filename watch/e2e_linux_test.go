package watch_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/watch"
)

func TestMain(m *testing.M) {
	os.Exit(e2etest.Main(m, rota.Setup, map[string]func(){"watched": watched}))
}

// filesEnv has the file that watched watches, besides its release; "" means the executable.
const filesEnv = "TEST_FILES"

// watched is a server that is reloaded when its executable, or its release, changes.
func watched() {
	cfg := watch.Config{Quiet: 200 * time.Millisecond}
	if file := os.Getenv(filesEnv); file != "" {
		cfg.Files = []string{file}
	}
	rota.OnMaster(watch.Reload(cfg))
	server.Version()
}

// A new executable is reloaded once it is whole, also behind a link, by workers and by the next master.
func TestExecutable(t *testing.T) {
	dir := t.TempDir()
	app := filepath.Join(dir, "current", "app")
	release := func(name string) {
		e2etest.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o700))
		e2etest.CopyFile(t, e2etest.Self(t), filepath.Join(dir, name, "app"))
		e2etest.NoError(t, os.Symlink(name, filepath.Join(dir, "next")))
		e2etest.NoError(t, os.Rename(filepath.Join(dir, "next"), filepath.Join(dir, "current")))
	}
	release("1")
	p := e2etest.StartExe(t, app, "watched", server.Quick(2), server.NewRelease(t, "good").Flags)
	l := e2etest.StartLoad(p.Addr(), "/", 2)
	release("2")
	p.WaitLog(e2etest.ReloadDone, 1)

	whole, err := os.ReadFile(app)
	e2etest.NoError(t, err)
	e2etest.NoError(t, os.Remove(app)) // it is executed: it can't be written
	f, err := os.OpenFile(app, os.O_CREATE|os.O_WRONLY, 0o700)
	e2etest.NoError(t, err)
	_, err = f.Write(whole[:len(whole)/2])
	e2etest.NoError(t, err)
	p.WaitOutput("watch: the executable is not whole", 1)
	_, err = f.Write(whole[len(whole)/2:])
	e2etest.NoError(t, err)
	e2etest.NoError(t, f.Close())
	p.WaitLog(e2etest.ReloadDone, 2)

	p.Upgrade()
	release("3")
	p.WaitLog(e2etest.ReloadDone, 3)
	l.MustBeWhole(t)
	if n := p.Log.Count("watch: files have changed"); n != 3 {
		t.Errorf("%d reloads, want 3", n)
	}
}

// A reload that fails is not tried again until the file changes.
func TestFailedOnce(t *testing.T) {
	release := server.NewRelease(t, "good")
	_, file, _ := strings.Cut(release.Flags, "=")
	p := e2etest.Start(t, "watched", server.Quick(1), release.Flags, filesEnv+"="+file)
	release.Write("exits")
	p.WaitLog(e2etest.ReloadFailed, 1)
	time.Sleep(1500 * time.Millisecond) // longer than five times the quiet time
	if n := p.Logged(e2etest.ReloadFailed); n != 1 {
		t.Errorf("%d reloads have failed, want 1", n)
	}
	release.Write("good")
	p.WaitLog(e2etest.ReloadDone, 1)
}

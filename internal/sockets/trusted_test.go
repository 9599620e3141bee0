//go:build linux

package sockets

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/directory"
)

const stranger = 65534

// strangers returns the users of a master that is root and of its workers, and a directory
// that belongs to the workers' user.
func strangers(t *testing.T) (*bind.User, string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root may act as another user")
	}
	dir, err := os.MkdirTemp("", "rota")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	own := filepath.Join(dir, "own")
	if err := errors.Join(os.Chmod(dir, 0o755), os.Mkdir(own, 0o755), os.Chown(own, stranger, stranger)); err != nil {
		t.Fatal(err)
	}
	return &bind.User{UID: stranger, GID: stranger}, own
}

// Which paths only root can change: the sticky bit protects its names, also where all users
// may create files.
func TestIsTrusted(t *testing.T) {
	_, own := strangers(t)
	dir := filepath.Dir(own)
	open, sticky := filepath.Join(dir, "open"), filepath.Join(dir, "sticky")
	err := errors.Join(os.Mkdir(open, 0), os.Chmod(open, 0o777), os.Mkdir(sticky, 0), os.Chmod(sticky, 0o777|os.ModeSticky),
		os.Mkdir(open+"/root", 0o755), os.Mkdir(sticky+"/root", 0o755), os.Mkdir(own+"/root", 0o755),
		os.Mkdir(dir+"/group", 0), os.Chmod(dir+"/group", 0o770),
		os.Symlink(own, dir+"/to-own"), os.Symlink(sticky+"/root", dir+"/to-root"), os.Symlink("sticky/root", dir+"/relative"),
		os.Symlink("loop", dir+"/loop"), os.Symlink(dir, own+"/back"), os.WriteFile(dir+"/file", nil, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{
		"/x": true, dir + "/x": true, own + "/x": false, open + "/x": false, sticky + "/x": false,
		sticky + "/root/x": true, open + "/root/x": false, own + "/root/x": false, dir + "/group/x": false,
		dir + "/to-own/x": false, dir + "/to-root/x": true, dir + "/relative/x": true, dir + "/loop/x": false,
		own + "/back/x": false, own + "/../x": true, dir + "/nosuch/x": false, dir + "/file/x": false, "x": false,
		dir + "//./to-root//x": true, dir + "/open/../x": true,
	} {
		if got := directory.IsTrusted(path); got != want {
			t.Errorf("%s: %t, want %t", path, got, want)
		}
	}
}

// A socket in a directory of the workers' user is theirs; what only root may write to is
// bound as root if only root can change the path, and otherwise refused.
func TestOpenAsUser(t *testing.T) {
	user, own := strangers(t)
	dir := filepath.Dir(own)
	if err := errors.Join(os.Symlink("/", own+"/root"), os.Symlink(own, dir+"/link")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{
		own + "/a": stranger, dir + "/b": 0, dir + "/link/c": stranger,
		own + "/root" + dir + "/d": -1, own + "/root/e": -1,
	} {
		o, err := openPath(t.Context(), Request{Request: bind.Request{Network: "unix", Address: path, Options: bind.Options{Mode: 0o666}}, User: user})
		if err != nil {
			if want >= 0 || !errors.Is(err, syscall.EACCES) {
				t.Errorf("%s: %v", path, err)
			}
			continue
		}
		info, err := os.Lstat(path)
		if err != nil || int(info.Sys().(*syscall.Stat_t).Uid) != want || info.Mode().Perm() != 0o666 {
			t.Errorf("%s: %v, %v, want one of user %d", path, info, err, want)
		}
		if o.Close(); !errors.Is(errors.Join(os.Remove(path)), os.ErrNotExist) {
			t.Errorf("%s was left by Close", path)
		}
	}
}

// TestSwap: somebody exchanges a directory on the path for a symbolic link to a directory
// of root's as often as it can, while the master binds and unlinks sockets. The files of
// root stay as they are.
func TestSwap(t *testing.T) {
	user, own := strangers(t)
	victim := filepath.Join(filepath.Dir(own), "victim")
	file := filepath.Join(victim, "s")
	err := errors.Join(os.Mkdir(victim, 0o755), os.Mkdir(own+"/a", 0o777), os.Chmod(own+"/a", 0o777),
		os.Symlink(victim, own+"/b"), os.WriteFile(file, []byte("secret"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var swappers sync.WaitGroup
	defer swappers.Wait()
	defer close(stop)
	for i := range 2 {
		swappers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					spare := fmt.Sprint(own, "/spare", i)
					_ = errors.Join(os.Rename(own+"/a", spare), os.Rename(own+"/b", own+"/a"), os.Rename(own+"/a", own+"/b"), os.Rename(spare, own+"/a"))
				}
			}
		})
	}
	opened, tries := 0, 300
	if os.Getenv("ROTA_E2E_LONG") != "" {
		tries = 10_000
	}
	for range tries {
		o, err := openPath(t.Context(), Request{Request: bind.Request{Network: "unix", Address: own + "/a/s", Options: bind.Options{Mode: 0o666}}, User: user})
		if err == nil {
			opened++
			o.Close()
		}
		info, err := os.Lstat(file)
		if err != nil || info.Mode() != 0o600 {
			t.Fatalf("root's file: %v, %v", info, err)
		}
	}
	if left, _ := os.ReadDir(victim); len(left) != 1 {
		t.Errorf("in root's directory: %v", left)
	}
	t.Logf("%d of %d were opened", opened, tries)
}

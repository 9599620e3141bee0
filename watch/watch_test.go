package watch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// fakeSource is what a test says.
type fakeSource struct {
	is   atomic.Value // string
	wake chan struct{}
}

func (s *fakeSource) look() string           { return s.is.Load().(string) }
func (s *fakeSource) woken() <-chan struct{} { return s.wake }

// A change counts once, when nothing has changed for the quiet time, and not if all is as before then.
func TestFollow(t *testing.T) {
	for name, wakes := range map[string]bool{"the system tells": true, "nobody tells": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &fakeSource{}
				if wakes {
					s.wake = make(chan struct{}, 1)
				}
				s.is.Store("a")
				begin := time.Now()
				var counted []string
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				pendings := ""
				go follow(ctx, Config{Quiet: time.Second, Pending: func(p bool) { pendings += fmt.Sprint(p)[:1] }}, s, func() {
					counted = append(counted, fmt.Sprint(s.look(), " at ", time.Since(begin).Truncate(time.Second)))
					if s.look() == "d" { // it changes while it is acted upon
						s.is.Store("e")
					}
				})
				change := func(to string, after time.Duration) {
					time.Sleep(after)
					s.is.Store(to)
					if wakes {
						s.wake <- struct{}{}
					}
				}
				change("b", 10*time.Second)
				for i := range 10 { // it is written on
					change(fmt.Sprint("b", i), 500*time.Millisecond)
				}
				change("c", 20*time.Second)
				change("b9", 500*time.Millisecond) // as before
				change("d", 20*time.Second)
				time.Sleep(time.Minute)
				cancel()
				synctest.Wait()
				want := []string{"b9 at 16s", "d at 56s", "e at 58s"}
				if pendings != "ttftt" && wakes {
					t.Errorf("pending: %s", pendings)
				}
				if !wakes { // the looks are less often
					counted, want = cut(counted), cut(want)
				}
				if !slices.Equal(counted, want) {
					t.Errorf("%q, want %q", counted, want)
				}
			})
		})
	}
}

// What is there at the beginning may count as a change, after the quiet time, also if that is nothing.
func TestFirst(t *testing.T) {
	for _, is := range []string{"a", ""} {
		t.Run(is, func(t *testing.T) { counts(t, is) })
	}
}

// counts checks that what is there counts once.
func counts(t *testing.T, is string) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeSource{wake: make(chan struct{})}
		s.is.Store(is)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin, n := time.Now(), 0
		follow(ctx, Config{Quiet: time.Second, First: true}, s, func() {
			if n++; time.Since(begin) != time.Second {
				t.Errorf("after %v", time.Since(begin))
			}
		})
		if n != 1 {
			t.Errorf("%d changes", n)
		}
	})
}

// cut returns all without the times.
func cut(all []string) (words []string) {
	for _, s := range all {
		word, _, _ := strings.Cut(s, " ")
		words = append(words, word)
	}
	return words
}

// Wherever a copy of an executable has got to, it isn't whole; and what is no executable isn't either.
func TestWhole(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := Whole(exe); err != nil {
		t.Error(err)
	}
	if runtime.GOOS != "linux" {
		return
	}
	b, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "app")
	for _, size := range []int{0, 1, 64, 1000, 4096, len(b) / 3, len(b) / 2, len(b) - 4096, len(b) - 1} {
		if err := os.WriteFile(path, b[:size], 0o700); err != nil {
			t.Fatal(err)
		}
		if Whole(path) == nil {
			t.Errorf("%d of %d bytes are whole", size, len(b))
		}
	}
	if err := os.WriteFile(path, b, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Whole(path); err != nil {
		t.Error(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Whole(path); !errors.Is(err, os.ErrPermission) {
		t.Errorf("without the right to execute it: %v", err)
	}
	if err := Whole(path + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a file: %v", err)
	}
}

// Every way in which a file is replaced is told within a moment, not only found by the looks in between.
func TestWatcher(t *testing.T) {
	top := t.TempDir()
	if real, err := filepath.EvalSymlinks(top); err == nil {
		top = real
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	write := func(path, text string) { t.Helper(); must(os.WriteFile(filepath.Join(top, path), []byte(text), 0o600)) }
	link := func(target, path string) {
		t.Helper()
		must(os.Symlink(target, filepath.Join(top, path+".new")))
		must(os.Rename(filepath.Join(top, path+".new"), filepath.Join(top, path)))
	}
	mkdir := func(path string) { t.Helper(); must(os.MkdirAll(filepath.Join(top, path), 0o700)) }
	mkdir("releases/1")
	mkdir("releases/2")
	mkdir("dir")
	write("releases/1/app", "1")
	write("releases/2/app", "2")
	link("releases/1", "current")
	link("current/app", "app")
	w := newWatcher(func() []string { return []string{filepath.Join(top, "app"), filepath.Join(top, "dir")} })
	defer w.close()
	if w.woken() == nil {
		t.Skip("this system doesn't tell of changes")
	}
	last := w.look()
	for _, c := range []struct {
		name   string
		change func()
	}{
		{"written", func() { write("releases/1/app", "1b") }},
		{"replaced by a file of the same size", func() {
			write("x", "1c")
			must(os.Rename(filepath.Join(top, "x"), filepath.Join(top, "releases/1/app")))
		}},
		{"a link in its path is moved", func() { link("releases/2", "current") }},
		{"written behind it", func() { write("releases/2/app", "22") }},
		{"removed with its directory", func() { must(os.RemoveAll(filepath.Join(top, "releases"))) }},
		{"made again", func() { mkdir("releases/2"); write("releases/2/app", "3") }},
		{"its directory is replaced", func() {
			mkdir("other")
			write("other/app", "44")
			must(os.Rename(filepath.Join(top, "releases/2"), filepath.Join(top, "old")))
			must(os.Rename(filepath.Join(top, "other"), filepath.Join(top, "releases/2")))
		}},
		{"written in it", func() { write("releases/2/app", "555") }},
		{"a new file in a directory", func() { write("dir/a", "1") }},
		{"it is written", func() { write("dir/a", "12") }},
		{"it is removed", func() { must(os.Remove(filepath.Join(top, "dir/a"))) }},
	} {
		c.change()
		limit := time.After(10 * time.Second)
		for now := last; now == last; {
			select {
			case <-w.woken():
				now = w.look()
			case <-limit:
				t.Fatalf("%s: not told", c.name)
			}
		}
		for quiet := false; !quiet; { // what the change has told more
			last = w.look()
			select {
			case <-w.woken():
			case <-time.After(20 * time.Millisecond):
				quiet = true
			}
		}
	}
	if list := w.fs.WatchList(); len(list) > 8 {
		t.Errorf("directories that nobody needs any more are watched: %q", list)
	}
}

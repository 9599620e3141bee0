package watch

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/fsnotify/fsnotify"
)

// maxLinks is how many symbolic links of one path are followed.
const maxLinks = 40

// watcher is a source of files. The system is asked to tell of changes in each directory by which the
// files are found.
type watcher struct {
	list func() []string
	fs   *fsnotify.Watcher // nil: nobody tells
	wake chan struct{}     // full: something may have changed
}

func newWatcher(list func() []string) *watcher {
	w := &watcher{list: list, wake: make(chan struct{}, 1)}
	fs, err := fsnotify.NewWatcher()
	if err != nil {
		return w // too many: they are looked for
	}
	w.fs = fs
	go w.run(fs)
	return w
}

// run wakes the reader, until close.
func (w *watcher) run(fs *fsnotify.Watcher) {
	for {
		select {
		case _, ok := <-fs.Events:
			if !ok {
				return
			}
		case _, ok := <-fs.Errors: // such as an overflow: anything may have changed
			if !ok {
				return
			}
		}
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

func (w *watcher) close() {
	if w.fs != nil {
		_ = w.fs.Close()
	}
}

func (w *watcher) woken() <-chan struct{} {
	if w.fs == nil {
		return nil
	}
	return w.wake
}

// look describes the files as they are now, and asks to be told of changes in directories that
// are new.
func (w *watcher) look() string {
	files := w.list()
	w.ask(files) // before the look: no change is missed
	var b strings.Builder
	for _, f := range files {
		describe(&b, f)
		if entries, err := os.ReadDir(f); err == nil {
			for _, e := range entries {
				describe(&b, filepath.Join(f, e.Name()))
			}
		}
	}
	return b.String()
}

// describe writes what tells a file from what it was before.
func describe(b *strings.Builder, path string) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		fmt.Fprintf(b, "%q -\n", path)
	case info.IsDir():
		fmt.Fprintf(b, "%q dir\n", path)
	default:
		fmt.Fprintf(b, "%q %d %d %v %d\n", path, info.Size(), info.ModTime().UnixNano(), info.Mode(), inode(info))
	}
}

// ask asks to be told of changes in the directories of the files, and in no others. If that fails they are
// looked for.
func (w *watcher) ask(files []string) {
	if w.fs == nil {
		return
	}
	wanted := map[string]bool{}
	for _, f := range files {
		for _, dir := range directories(f) {
			wanted[dir] = true
		}
	}
	for _, dir := range w.fs.WatchList() { // without those that were removed
		if !wanted[dir] {
			_ = w.fs.Remove(dir)
		}
		delete(wanted, dir)
	}
	for dir := range wanted {
		if err := w.fs.Add(dir); err != nil && exists(dir) {
			w.close()
			w.fs = nil
			return
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// directories returns the directories whose entries say which file is at path: its own, those of the
// symbolic links by which it is reached, and path itself if it is one.
func directories(path string) (all []string) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil
	}
	add := func(dir string) {
		for _, d := range all {
			if d == dir {
				return
			}
		}
		all = append(all, dir)
	}
	for range maxLinks {
		link := firstLink(abs)
		if link == "" {
			break
		}
		add(filepath.Dir(link))
		target, err := os.Readlink(link)
		if err != nil {
			break
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(link), target)
		}
		abs = filepath.Join(target, strings.TrimPrefix(abs, link))
	}
	add(nearest(filepath.Dir(abs)))
	if info, err := os.Stat(abs); err == nil && info.IsDir() {
		add(abs)
	}
	return all
}

// firstLink returns the shortest part of an absolute path that is a symbolic link, or "".
func firstLink(path string) string {
	for i := 1; i <= len(path); i++ {
		if i < len(path) && path[i] != filepath.Separator {
			continue
		}
		if info, err := os.Lstat(path[:i]); err == nil && info.Mode()&os.ModeSymlink != 0 {
			return path[:i]
		}
	}
	return ""
}

// nearest returns dir, or the nearest one above it that there is.
func nearest(dir string) string {
	for !exists(dir) && filepath.Dir(dir) != dir {
		dir = filepath.Dir(dir)
	}
	return dir
}

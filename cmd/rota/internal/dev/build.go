//go:build linux

package dev

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// source finds the files that a program is made of.
type source struct {
	pkg   string
	flags []string

	mu    sync.Mutex
	dirs  []string // of packages that are not in the module cache: every Go file in them counts
	extra []string // embedded files, go.mod
}

// listed is a package as go list prints it.
type listed struct {
	Dir        string
	Standard   bool
	EmbedFiles []string
	SFiles     []string
	CFiles     []string
	HFiles     []string
	Module     *struct{ GoMod string }
}

// find asks go list anew. If that fails, or finds no package whose files may change, it is as it was.
func (s *source) find(ctx context.Context) {
	args := append([]string{"list", "-e", "-deps", "-json=Dir,Standard,EmbedFiles,SFiles,CFiles,HFiles,Module"}, append(s.flags, s.pkg)...)
	out, err := exec.CommandContext(ctx, "go", args...).Output()
	cache, err2 := exec.CommandContext(ctx, "go", "env", "GOMODCACHE").Output()
	if errors.Join(err, err2) != nil {
		return // go build says why
	}
	var dirs, extra []string
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); err != nil {
			break
		}
		if p.Standard || p.Dir == "" || strings.HasPrefix(p.Dir, strings.TrimSpace(string(cache))+string(filepath.Separator)) {
			continue
		}
		dirs = append(dirs, p.Dir)
		for _, f := range slices.Concat(p.EmbedFiles, p.SFiles, p.CFiles, p.HFiles) {
			extra = append(extra, filepath.Join(p.Dir, f))
		}
		if p.Module != nil && p.Module.GoMod != "" {
			extra = append(extra, p.Module.GoMod)
		}
	}
	if len(dirs) == 0 {
		return // the package is away, or in the module cache
	}
	slices.Sort(extra)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dirs, s.extra = dirs, slices.Compact(extra)
}

// isEmpty reports whether find has never found anything that may change.
func (s *source) isEmpty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.dirs) == 0
}

// files returns the files as they are now.
func (s *source) files() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.Clone(s.extra)
	for _, dir := range s.dirs {
		entries, _ := os.ReadDir(dir) // one that is gone has no files
		for _, e := range entries {
			if n := e.Name(); strings.HasSuffix(n, ".go") && !strings.HasSuffix(n, "_test.go") && !strings.HasPrefix(n, ".") && !strings.HasPrefix(n, "_") {
				all = append(all, filepath.Join(dir, n))
			}
		}
	}
	return all
}

func (s *session) executable() string { return filepath.Join(s.dir, "program") }

// build builds the executable. same means that it is as it was before.
func (s *session) build(ctx context.Context) (same bool, err error) {
	next := s.executable() + ".new"
	cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-o", next}, append(s.Flags, s.Package)...)...)
	cmd.Stdout, cmd.Stderr = s.Out, s.Out
	if err := cmd.Run(); err != nil {
		return false, err
	}
	if sum(next) == sum(s.executable()) {
		return true, os.Remove(next)
	}
	return false, os.Rename(next, s.executable())
}

// sum returns a hash of a file, or one of nothing.
func sum(path string) (hash [sha256.Size]byte) {
	f, err := os.Open(path)
	if err != nil {
		return hash
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err == nil {
		h.Sum(hash[:0])
	}
	return hash
}

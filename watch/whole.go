package watch

import (
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"os"
)

// errCut means that a file ends before what its header lists.
var errCut = errors.New("the file is not whole")

// Whole returns nil if the file at path is an executable of Go that can be started as far as one can tell
// without starting it: it has build information and, in the format ELF, all that its header lists. A file
// that is being copied isn't.
func Whole(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Mode()&0o111 == 0 && os.PathSeparator == '/' {
		return fmt.Errorf("%s: %w", path, os.ErrPermission)
	}
	if _, err := buildinfo.ReadFile(path); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return wholeELF(path, uint64(info.Size()))
}

// wholeELF returns an error if a file in the format ELF is shorter than it says.
func wholeELF(path string, size uint64) error {
	f, err := elf.Open(path)
	if err != nil {
		if bad := (*elf.FormatError)(nil); errors.As(err, &bad) {
			return nil // another format, or buildinfo had refused it
		}
		return fmt.Errorf("%s: %w", path, err)
	}
	defer f.Close()
	for _, s := range f.Sections {
		if s.Type != elf.SHT_NOBITS && (s.Offset > size || s.FileSize > size-s.Offset) {
			return fmt.Errorf("%s: %w", path, errCut)
		}
	}
	for _, p := range f.Progs {
		if p.Off > size || p.Filesz > size-p.Off {
			return fmt.Errorf("%s: %w", path, errCut)
		}
	}
	return nil
}

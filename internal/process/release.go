package process

import (
	"debug/buildinfo"
	"os"
	"runtime/debug"

	"github.com/rota-go/rota/status"
)

// Release says what workers of the image run, by what the go command has written into the
// executable. The caller must not change it.
func (i *Image) Release() status.Release { return i.release }

// releaseOf reads the build info of an executable. Of one that Go hasn't built, or that can't
// be read, only the path is known.
func releaseOf(path string, executable *os.File) status.Release {
	r := status.Release{Path: path}
	if executable == nil {
		return r
	}
	info, err := buildinfo.Read(executable)
	if err != nil {
		return r
	}
	r.Module, r.Go = moduleOf(info.Main), info.GoVersion
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			r.Revision = s.Value
		case "vcs.time":
			r.Time = s.Value
		case "vcs.modified":
			r.Modified = s.Value == "true"
		}
	}
	return r
}

func moduleOf(m debug.Module) string {
	if m.Version == "" {
		return m.Path
	}
	return m.Path + " " + m.Version
}

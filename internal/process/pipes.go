package process

import "os"

// pipes are the pipes of a silent worker's stdout and stderr.
type pipes struct{ read, write [2]*os.File }

func newPipes() (p pipes, err error) {
	for i := range p.read {
		if p.read[i], p.write[i], err = os.Pipe(); err != nil {
			closeFiles(p.read)
			closeFiles(p.write)
			return pipes{}, err
		}
	}
	return p, nil
}

// closeFiles closes those files that are not nil.
func closeFiles(files [2]*os.File) {
	for _, f := range files {
		if f != nil {
			_ = f.Close() // a pipe has no buffered writes to lose
		}
	}
}

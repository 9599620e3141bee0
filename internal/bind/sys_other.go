//go:build !linux

package bind

import (
	"errors"
	"io/fs"
	"os"
)

const datagrams = 2

func fchmod(int, uint32) error { return nil } // not supported before bind(2): widen sets the mode

func listen(int, int) error { return errors.ErrUnsupported }

func kindOf(int) (int, error) { return 0, errors.ErrUnsupported }

func (o Options) listenOn(int) error { return errors.ErrUnsupported }

func connected(int) bool { return false }

func keepAliveOf(int) (idle, interval, count int) { return -1, -1, -1 }

func chmod(path string, mode uint32) error { return os.Chmod(path, fs.FileMode(mode)) }

func setReusePort(int) error { return errors.ErrUnsupported }

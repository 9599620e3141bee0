//go:build !(linux || darwin || freebsd)

package listentest

import "errors"

func descriptorFlags(uintptr) (nonblock, cloexec bool, err error) {
	return false, false, errors.ErrUnsupported
}

func socketOptions(uintptr) (map[string]int, error) { return nil, errors.ErrUnsupported }

//go:build linux || darwin || freebsd

package listentest

import (
	"runtime"
	"syscall"
)

func descriptorFlags(fd uintptr) (nonblock, cloexec bool, err error) {
	status, err := fcntl(fd, syscall.F_GETFL)
	if err != nil {
		return false, false, err
	}
	flags, err := fcntl(fd, syscall.F_GETFD)
	return status&syscall.O_NONBLOCK != 0, flags&syscall.FD_CLOEXEC != 0, err
}

func fcntl(fd uintptr, command int) (int, error) {
	value, _, errno := syscall.Syscall(syscall.SYS_FCNTL, fd, uintptr(command), 0)
	if errno != 0 {
		return 0, errno
	}
	return int(value), nil
}

type socketOption struct {
	name          string
	level, option int
}

func socketOptions(fd uintptr) (map[string]int, error) {
	options := []socketOption{
		{"SO_KEEPALIVE", syscall.SOL_SOCKET, syscall.SO_KEEPALIVE},
		{"TCP_NODELAY", syscall.IPPROTO_TCP, syscall.TCP_NODELAY},
	}
	if runtime.GOOS == "linux" {
		// By number: package syscall has no names that all three systems share.
		options = append(options, socketOption{"TCP_KEEPIDLE", syscall.IPPROTO_TCP, 4},
			socketOption{"TCP_KEEPINTVL", syscall.IPPROTO_TCP, 5}, socketOption{"TCP_KEEPCNT", syscall.IPPROTO_TCP, 6})
	}
	values := map[string]int{}
	for _, o := range options {
		value, err := syscall.GetsockoptInt(int(fd), o.level, o.option)
		if err != nil {
			return nil, err
		}
		values[o.name] = value
	}
	return values, nil
}

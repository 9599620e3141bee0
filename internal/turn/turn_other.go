//go:build !linux

package turn

import "syscall"

func (p *Poller) works() bool { return false }

func (p *Poller) take(syscall.RawConn) (add, remove func(fd uintptr), ok bool) {
	return nil, nil, false
}

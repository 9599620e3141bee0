package descriptor

import "syscall"

// Ask returns f's result for the descriptor of s, a listener for example; false if it has none, or
// is closed. f must not close it.
func Ask(s any, f func(fd int) bool) (result bool) {
	sc, ok := s.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	_ = raw.Control(func(fd uintptr) { result = f(int(fd)) }) // fails if it is closed
	return result
}

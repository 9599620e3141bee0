// Package thread runs functions on threads that end with them, because they change what a
// thread may do: no other goroutine ever runs with that.
package thread

import "runtime"

// Do calls prepare, and if that succeeds f, on a thread of its own that ends after that. It
// returns the error of the one that failed.
func Do(prepare, f func() error) error {
	result := make(chan error, 1)
	go func() { result <- Here(prepare, f) }()
	return <-result
}

// Here is Do on the thread of the calling goroutine, which must end after that and takes the
// thread with it. The process's first thread can't end, and /proc shows it for the process:
// if the goroutine has that one, it holds it while another goroutine does the work.
func Here(prepare, f func() error) error {
	runtime.LockOSThread()
	if isFirst() {
		defer runtime.UnlockOSThread()
		return Do(prepare, f)
	}
	if err := prepare(); err != nil {
		return err
	}
	return f()
}

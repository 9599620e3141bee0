//go:build !linux

package bind

// Do calls f. Only Linux has rights of a single thread.
func (u *User) Do(f func()) error { f(); return nil }

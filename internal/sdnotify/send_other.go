//go:build !linux

package sdnotify

import "errors"

func sendWith(int, string) error { return errors.ErrUnsupported }

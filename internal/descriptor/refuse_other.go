//go:build !linux

package descriptor

import "errors"

func refuse(int) error { return errors.ErrUnsupported }

func refuses(int) bool { return false }

func waiting(int) bool { return false }

//go:build !unix

package rotapage

import "errors"

func hangUp(int) error { return errors.ErrUnsupported }

//go:build !linux

package directory

import "errors"

type open struct{}

func openDirectory(string) *Directory { return &Directory{} }

func (*Directory) isBusy() bool { return false }

func (*Directory) close() {}

func (*Directory) socket(string) (Identity, error) { return Identity{}, errors.ErrUnsupported }

func (*Directory) remove(string) error { return errors.ErrUnsupported }

func (*Directory) isBound(string) bool { return true }

//go:build !unix

package usage

import "github.com/rota-go/rota/internal/wire"

func work() wire.Work { return wire.Work{} }

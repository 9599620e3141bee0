package status

import "context"

type key struct{}

// By returns a context for the methods of a Master, with a few words that say who asks for the
// change: they appear in Change.By. The signals of rota.Listen say "signal HUP", the control
// socket says "uid 0 pid 17".
func By(ctx context.Context, who string) context.Context { return context.WithValue(ctx, key{}, who) }

// Caller returns what By was given for ctx, or "".
func Caller(ctx context.Context) string {
	who, _ := ctx.Value(key{}).(string)
	return who
}

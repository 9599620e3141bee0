package e2etest

import (
	"math/rand/v2"
	"slices"
)

// Estimate is a median and its interval, in which it lies with 95 % probability.
type Estimate struct{ Median, From, To float64 }

// PairedRatio returns the median of the ratios of two measurements of the same rounds, with
// the interval of a bootstrap.
func PairedRatio(ours, theirs []float64) Estimate {
	n := min(len(ours), len(theirs))
	ratios := make([]float64, n)
	for i := range ratios {
		ratios[i] = ours[i] / theirs[i]
	}
	medians, sample := make([]float64, 1000), make([]float64, n)
	for i := range medians {
		for k := range sample {
			sample[k] = ratios[rand.IntN(n)]
		}
		medians[i] = Median(sample)
	}
	slices.Sort(medians)
	return Estimate{Median(ratios), medians[25], medians[975]}
}

// Median returns the median of v.
func Median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

package cli

import (
	"fmt"
	"strings"
	"sync"
)

// makeAll calls create for 0 to n-1, at most workers at a time, and passes the results to each in
// order. After a failure it starts no more, but still passes on what was already created. It
// returns the first failure and the numbers that are missing.
func makeAll[T any](n, workers int,
	create func(i int) (T, error), each func(i int, made T) error) (missing []int, err error) {
	next := 0
	for next < n && err == nil {
		first := next
		next = min(first+workers, n)
		made, failures := make([]T, next-first), make([]error, next-first)
		var batch sync.WaitGroup
		for i := range made {
			batch.Go(func() { made[i], failures[i] = create(first + i) })
		}
		batch.Wait()
		for i, failure := range failures {
			if failure != nil {
				missing = append(missing, first+i)
			} else {
				failure = each(first+i, made[i])
			}
			if err == nil {
				err = failure
			}
		}
	}
	for ; next < n; next++ {
		missing = append(missing, next)
	}
	return missing, err
}

// ranges shortens ascending numbers: 3, 5-20.
func ranges(numbers []int) string {
	var parts []string
	for i := 0; i < len(numbers); {
		last := i
		for last+1 < len(numbers) && numbers[last+1] == numbers[last]+1 {
			last++
		}
		if last == i {
			parts = append(parts, fmt.Sprint(numbers[i]))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", numbers[i], numbers[last]))
		}
		i = last + 1
	}
	return strings.Join(parts, ", ")
}

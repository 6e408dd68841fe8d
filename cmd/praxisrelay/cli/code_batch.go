package cli

import (
	"fmt"
	"strings"
	"sync"
)

// makeAll calls create for 0 to n-1, so many at a time, and hands what was made to each, in
// order. After a failure it begins nothing more; what was made by then is handed over
// all the same. It returns the first failure and what was not made.
func makeAll[T any](n, workers int, create func(i int) (T, error), each func(i int, made T) error) (missing []int, err error) {
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

// ranges writes rising numbers: 3, 5-20.
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

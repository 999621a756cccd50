module imagegen

go 1.19

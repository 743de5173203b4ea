// api/model/value.cpp

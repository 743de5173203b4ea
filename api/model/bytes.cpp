// api/model/bytes.cpp
